import type { ServerResponse } from 'node:http';
import type { FaultEffect } from './faults.ts';

/** What goes out: its headers have the type of its body, where there is one. */
export interface Reply {
  status: number;
  body?: string | Buffer;
  headers?: Record<string, string>;
}

/** Writes a reply, as the fault wants it. Returns the status that went out, or 0. */
export function send(response: ServerResponse, reply: Reply, fault: FaultEffect | null): number {
  const body = Buffer.from(reply.body ?? '');
  switch (fault?.kind) {
    case undefined:
    case 'slow':
      return write(response, reply.status, body, reply.headers);
    case 'status': {
      const { body: own = '' } = fault;
      const text = typeof own === 'string' ? own : JSON.stringify(own);
      return write(response, fault.status, Buffer.from(text), {
        'content-type': contentTypeOf(text),
        ...fault.headers,
      });
    }
    case 'garbage': {
      const text = fault.body ?? 'upstream connect error or disconnect before headers';
      const headers = { 'content-type': fault.contentType ?? contentTypeOf(text) };
      return write(response, 200, Buffer.from(text), headers);
    }
    case 'cut':
      return write(response, reply.status, half(body), reply.headers);
    case 'hang':
      return 0;
    case 'reset':
      reset(response);
      return 0;
    case 'hang_in_body':
      writeHalf(response, reply, body, () => {});
      return reply.status;
    case 'reset_in_body':
      writeHalf(response, reply, body, () => reset(response));
      return reply.status;
    case 'truncate':
      writeHalf(response, reply, body, () => response.socket?.end());
      return reply.status;
  }
}

/** Without a proper end. A socket inside TLS can't be reset itself. */
function reset({ socket }: ServerResponse): void {
  if (socket !== null && 'encrypted' in socket) socket.destroy();
  else socket?.resetAndDestroy();
}

function write(response: ServerResponse, status: number, body: Buffer, headers?: Record<string, string>): number {
  const length = body.length === 0 ? {} : { 'content-length': body.length };
  response.writeHead(status, { ...length, ...headers });
  response.end(body);
  return status;
}

function writeHalf(response: ServerResponse, reply: Reply, body: Buffer, then: () => void): void {
  response.writeHead(reply.status, { ...reply.headers, 'content-length': Math.max(body.length, 2) });
  response.write(body.length < 2 ? '{' : half(body), then);
}

function half(body: Buffer): Buffer {
  return body.subarray(0, Math.floor(body.length / 2));
}

function contentTypeOf(text: string): string {
  if (text.startsWith('<')) return 'text/html';
  return /^[{["]/.test(text) ? 'application/json' : 'text/plain';
}
