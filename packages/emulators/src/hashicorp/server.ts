import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Answer, failure } from './answer.ts';
import type { Faults } from './faults.ts';
import { isObject, type JsonObject, parseJson } from './json.ts';
import type { Quota } from './quota.ts';
import { readRequest, type VaultRequest } from './request.ts';
import type { RequestLog } from './request-log.ts';
import { route } from './router.ts';
import { send } from './send.ts';
import type { VaultState } from './state.ts';

export interface TlsSettings {
  /** PEM. */
  cert: string;
  key: string;
  /** PEM; if given, a client must show a certificate of this authority. */
  clientCa?: string;
}

/** Answers a request that is not the protocol's; false if it is. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface ServerParts {
  state: VaultState;
  quota: Quota;
  faults: Faults;
  log: RequestLog;
  /** Milliseconds before each answer. */
  latency: { milliseconds: number };
  intercept: { current: Intercept | null };
  /** How many requests may have changed something. */
  writes: { count: number };
}

/** The real server's limit of a request's body. */
const maxBodyBytes = 32 * 1024 * 1024;

export async function listen(
  parts: ServerParts,
  host: string,
  port: number,
  tls: TlsSettings | undefined,
): Promise<{ server: Server; url: string }> {
  const handler = (message: IncomingMessage, response: ServerResponse) => handle(parts, message, response);
  const server =
    tls === undefined
      ? createServer(handler)
      : createTlsServer(
          {
            cert: tls.cert,
            key: tls.key,
            ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
          },
          handler,
        );
  // Idle connections outlive a client's pauses, so that no request meets a closing socket.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return { server, url: `${tls === undefined ? 'http' : 'https'}://${name}:${address.port}` };
}

/** Drops live sockets too: a hanging request must not keep a test from ending. */
export async function shut(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function handle(parts: ServerParts, message: IncomingMessage, response: ServerResponse): void {
  if (parts.intercept.current?.(message, response) === true) return;
  const { state, faults, latency } = parts;
  const request = readRequest(message, state.flavour === 'openbao');
  const facts =
    'operation' in request
      ? request
      : { method: message.method ?? '', path: message.url ?? '', operation: null, namespace: '' };
  const fault = faults.take(facts);

  const finish = (early: Answer | null) => {
    const answer = early ?? ('operation' in request ? route(state, parts.quota, request) : request);
    const status = send(response, answer, state.flavour, fault);
    const { method, path, operation, namespace } = facts;
    if (method !== 'GET') parts.writes.count += 1;
    parts.log.record({ method, path, operation, namespace, status });
  };
  const proceed = (early: Answer | null) => {
    const delay = latency.milliseconds + (fault?.kind === 'slow' ? fault.delayMs : 0);
    if (delay > 0) setTimeout(finish, delay, early);
    else finish(early);
  };

  if ('operation' in request && (request.operation === 'update' || request.operation === 'patch'))
    readBody(message, request, proceed);
  else proceed(null);
}

function readBody(message: IncomingMessage, request: VaultRequest, done: (refusal: Answer | null) => void): void {
  if (request.operation === 'patch' && !/^application\/merge-patch\+json/.test(message.headers['content-type'] ?? '')) {
    message.resume();
    done(failure(415, 'PATCH requires Content-Type of application/merge-patch+json'));
    return;
  }
  collect(message, (text) => {
    if (text === null) return done(failure(413, 'error reading data: http: request body too large'));
    const body = parseBody(text);
    if (body === null) return done(failure(400, 'failed to parse JSON input: invalid character in the request body'));
    request.body = body;
    done(null);
  });
}

/** The body as text, or null where it is larger than the server takes. Not called if the client goes away. */
export function collect(message: IncomingMessage, done: (text: string | null) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  message.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxBodyBytes) chunks.push(chunk);
  });
  message.on('end', () => done(size > maxBodyBytes ? null : Buffer.concat(chunks).toString()));
}

function parseBody(text: string): JsonObject | null {
  if (text.trim() === '') return {};
  try {
    const body = parseJson(text);
    if (body === null) return {};
    return isObject(body) ? body : null;
  } catch {
    return null;
  }
}
