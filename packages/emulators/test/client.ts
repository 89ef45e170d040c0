import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { VaultEmulator } from '../src/index.ts';

export interface Reply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  body: any;
  text: string;
  headers: Headers;
}

export interface Asked {
  token?: string;
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Calls an emulator over the wire, with the root token unless told otherwise. `path` is below `/v1/`, encoded. */
export async function ask(emulator: VaultEmulator, path: string, asked: Asked = {}): Promise<Reply> {
  const { token = emulator.rootToken, body, method = body === undefined ? 'GET' : 'POST', headers } = asked;
  const response = await fetch(`${emulator.url}/v1/${path}`, {
    method,
    redirect: 'manual',
    headers: { ...(token === '' ? {} : { 'x-vault-token': token }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type') === 'application/json' && text !== '';
  return { status: response.status, text, body: isJson ? JSON.parse(text) : null, headers: response.headers };
}

/** A request whose path goes out as it is: fetch would clean it. */
export async function askRaw(
  emulator: VaultEmulator,
  path: string,
): Promise<{ status: number; message: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(emulator.url);
    httpRequest({ hostname, port, path, headers: { 'x-vault-token': emulator.rootToken } }, (message) => {
      message.resume();
      message.on('end', () => resolve({ status: message.statusCode ?? 0, message }));
    })
      .on('error', reject)
      .end();
  });
}

/** A clock that stands still until it is moved. */
export function manualClock(): { now: () => number; advance: (seconds: number) => void } {
  let time = Date.UTC(2026, 0, 1);
  return {
    now: () => time,
    advance: (seconds) => {
      time += seconds * 1000;
    },
  };
}
