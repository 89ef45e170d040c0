import type { IncomingMessage, ServerResponse } from 'node:http';
import { collect, type Intercept } from '../http/server.ts';

const prefix = '/__control/';

/**
 * `POST /__control/<operation>` with JSON arguments. Answered to this machine alone, and only to who knows the
 * token: a page in a browser can reach loopback, but not send that header.
 */
export function controlEndpoint(
  control: (operation: string, args: unknown) => unknown,
  controlToken: string,
  changed: () => void,
): Intercept {
  return (message, response) => {
    if (message.url?.startsWith(prefix) !== true) return false;
    const allowed = isLoopback(message) && message.headers['x-emulator-control'] === controlToken;
    if (!allowed || message.method !== 'POST') {
      message.resume();
      answer(response, 403, { error: 'control needs POST, from loopback, with the control token' });
      return true;
    }
    const operation = message.url.slice(prefix.length);
    collect(message, (body) => {
      try {
        const result = control(operation, body === null || body.length === 0 ? {} : JSON.parse(body.toString()));
        changed();
        answer(response, 200, { result });
      } catch (error) {
        answer(response, 400, { error: error instanceof Error ? error.message : String(error) });
      }
    });
    return true;
  };
}

function isLoopback(message: IncomingMessage): boolean {
  return /^(127\.|::1$|::ffff:127\.)/.test(message.socket.remoteAddress ?? '');
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
