import type { ServerResponse } from 'node:http';
import { type Answer, type Flavour, render } from './answer.ts';
import type { FaultEffect } from './faults.ts';

/** Writes an answer, as the fault wants it. Returns the status that went out, or 0. */
export function send(response: ServerResponse, answer: Answer, flavour: Flavour, fault: FaultEffect | null): number {
  const body = render(answer, flavour);
  switch (fault?.kind) {
    case undefined:
    case 'slow':
      return write(response, answer.status, body, answer.headers);
    case 'status': {
      const { body: own = '' } = fault;
      const text = typeof own === 'string' ? own : `${JSON.stringify(own)}\n`;
      return write(response, fault.status, text, { 'content-type': contentTypeOf(text), ...fault.headers });
    }
    case 'garbage': {
      const text = fault.body ?? 'upstream connect error or disconnect before headers';
      return write(response, 200, text, { 'content-type': fault.contentType ?? contentTypeOf(text) });
    }
    case 'cut':
      return write(response, answer.status, half(body), answer.headers);
    case 'hang':
      return 0;
    case 'reset':
      response.socket?.resetAndDestroy();
      return 0;
    case 'hang_in_body':
      writeHalf(response, answer, body, () => {});
      return answer.status;
    case 'reset_in_body':
      writeHalf(response, answer, body, () => response.socket?.resetAndDestroy());
      return answer.status;
    case 'truncate':
      writeHalf(response, answer, body, () => response.socket?.end());
      return answer.status;
  }
}

function write(response: ServerResponse, status: number, body: string, headers?: Record<string, string>): number {
  const length = body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  response.writeHead(status, { 'cache-control': 'no-store', ...length, ...headers });
  response.end(body);
  return status;
}

function writeHalf(response: ServerResponse, answer: Answer, body: string, then: () => void): void {
  const length = Math.max(Buffer.byteLength(body), 2);
  response.writeHead(answer.status, { 'content-type': 'application/json', 'content-length': length });
  response.write(half(body) || '{', then);
}

function half(body: string): string {
  return body.slice(0, Math.floor(body.length / 2));
}

function contentTypeOf(text: string): string {
  if (text.startsWith('<')) return 'text/html';
  return /^[{["]/.test(text) ? 'application/json' : 'text/plain';
}
