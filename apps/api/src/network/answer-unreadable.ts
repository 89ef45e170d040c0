import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { KeyferryError } from '@keyferry/core';
import { errorBody } from '../error-handler.ts';
import { mostHeaderBytes, requestDeadlineMs } from '../limits.ts';

const lingerMs = 1_000;

/** Answers what never became a request, in the same shape as all else, and ends the connection. */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable) return void socket.destroy();
  const [status, why] = judge(error.code);
  const body = JSON.stringify(errorBody(new KeyferryError('request_invalid', why), randomUUID()));
  const length = Buffer.byteLength(body);
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`,
  );
  // Half closed, it would last as long as the client likes; closed at once, the answer might be lost.
  setTimeout(() => socket.destroy(), lingerMs).unref();
}

function judge(code: string | undefined): [status: string, why: string] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', `The request did not come as a whole within ${requestDeadlineMs / 1000} seconds.`];
    case 'HPE_HEADER_OVERFLOW':
      return ['400 Bad Request', `The headers are larger than ${mostHeaderBytes / 1024} KiB.`];
    default:
      return ['400 Bad Request', 'What was sent is not HTTP that can be read.'];
  }
}
