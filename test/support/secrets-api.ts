import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type ChangeMessage,
  changeMessage,
  deletedAnswer,
  type ErrorAnswer,
  errorAnswer,
  flushedAnswer,
  resolveAnswer,
  resolveRequest,
  secretAnswer,
  secretListQuery,
  secretPage,
  secretQuery,
  secretWrite,
  writtenAnswer,
} from '@keyferry/contracts';
import { type ErrorCode, KeyferryError, parseReference, textOf } from '@keyferry/core';

/**
 * An HTTP server that answers as Keyferry's API does where secrets are read and written, by the same contracts, with
 * values out of memory. For tests of what is on the other side of the wire.
 */
export interface SecretsApi extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly secrets: Map<string, Buffer>;
  /** What has been asked for so far: `POST /v1/secrets/resolve`. */
  readonly requests: { route: string; references: readonly string[]; headers: IncomingMessage['headers'] }[];
  /** How many connections follow the changes. */
  readonly followers: number;
  /** What every request is answered with in place of an answer, or null. */
  refusal: { status: number; code: ErrorCode } | null;
  /** Whether it tells that it is alive. */
  silent: boolean;
  /** Runs before the answer of a resolve is made, and before it is sent. */
  beforeReading: () => Promise<void>;
  beforeAnswer: () => Promise<void>;
  /** Stores a value and tells of it. */
  put(path: string, value: string): void;
  tell(message: ChangeMessage): void;
  /** Ends all connections and listens no more, until `start`, at the same address. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Often, so that tests needn't wait for it. */
const aliveMs = 50;

export async function startSecretsApi(): Promise<SecretsApi> {
  const token = 'a-token-for-the-tests-alone';
  const followers = new Set<ServerResponse>();
  let port = 0;

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      const known = error instanceof KeyferryError;
      send(response, known ? statusOf(error.code) : 500, refusal(known ? error.code : 'internal', String(error)));
    });
  });

  const api: SecretsApi = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    token,
    secrets: new Map(),
    requests: [],
    get followers() {
      return followers.size;
    },
    refusal: null,
    silent: false,
    beforeReading: async () => {},
    beforeAnswer: async () => {},
    put(path, value) {
      api.secrets.set(path, Buffer.from(value));
      api.tell({ type: 'changed', paths: [path] });
    },
    tell(message) {
      for (const follower of followers) write(follower, message);
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
    async start() {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      port = (server.address() as AddressInfo).port;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(heart);
      await api.stop();
    },
  };
  const heart = setInterval(() => api.silent || api.tell({ type: 'alive' }), aliveMs);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', headers } = request;
    const url = new URL(request.url ?? '/', api.url);
    const body = await bodyOf(request);
    const references = url.pathname === '/v1/secrets/resolve' ? requestOf(body) : [];
    api.requests.push({ route: `${method} ${url.pathname}`, references, headers });
    if (api.refusal) return send(response, api.refusal.status, refusal(api.refusal.code, 'It was refused.'));
    if (headers.authorization !== `Bearer ${token}`)
      return send(response, 401, refusal('unauthorized', 'Who are you?'));
    if (url.pathname === '/v1/changes') return follow(response);
    if (url.pathname === '/v1/secrets/resolve') {
      await api.beforeReading();
      const items = references.map(itemOf);
      await api.beforeAnswer();
      return send(response, 200, resolveAnswer.parse({ items }));
    }
    if (url.pathname === '/api/vault/flush-cache') {
      if (api.secrets.size === 0) return send(response, 400, { error: 'vault is not enabled' });
      api.tell({ type: 'flush' });
      return send(response, 200, flushedAnswer.parse({ message: 'vault cache flushed' }));
    }
    if (url.pathname === '/v1/secrets') return send(response, 200, list(url));
    if (!url.pathname.startsWith('/v1/secrets/')) throw new KeyferryError('not_found', 'There is no such route.');
    const path = decodeURIComponent(url.pathname.slice('/v1/secrets/'.length));
    send(response, 200, bySecret(method, path, Object.fromEntries(url.searchParams), body));
  }

  function bySecret(method: string, path: string, query: Record<string, string>, body: unknown) {
    const created = !api.secrets.has(path);
    if (method === 'PUT') {
      const { value, encoding } = secretWrite.parse(body);
      api.secrets.set(path, Buffer.from(value, encoding ?? 'utf8'));
      const written = { path, version: 1, remote_version: null, created, written_to: 'store', owned: false };
      return writtenAnswer.parse(written);
    }
    const bytes = valueAt(path);
    if (method === 'DELETE') {
      api.secrets.delete(path);
      return deletedAnswer.parse({ path, removed_from: 'store' });
    }
    const { field = null } = secretQuery.parse(query);
    const of = { version: 1, remote_version: '1', state: 'active', source: 'store', age: 0, stale: false };
    const as = { type: null, content_type: 'text/plain', expires_at: null, backend: 'team' };
    return secretAnswer.parse({ path, ...shown(bytes, field, path), ...of, ...as });
  }

  function list(url: URL) {
    const { prefix } = secretListQuery.parse(Object.fromEntries(url.searchParams));
    const paths = [...api.secrets.keys()].filter((path) => path.startsWith(prefix)).sort();
    return secretPage.parse({
      items: paths.map((path) => ({ path, backend: 'team', mode: 'sync' })),
      next_cursor: null,
    });
  }

  function itemOf(reference: string) {
    try {
      const parsed = parseReference(reference);
      if (parsed.kind !== 'key') return { reference, value: reference, encoding: 'utf8', stale: false };
      return { reference, ...shown(valueAt(parsed.path), parsed.field, parsed.path), stale: false };
    } catch (error) {
      if (!(error instanceof KeyferryError)) throw error;
      const { code, message, action } = error;
      return { reference, error: { code, message, action } };
    }
  }

  function valueAt(path: string): Buffer {
    const value = api.secrets.get(path);
    if (!value) throw new KeyferryError('key_not_found', `There is no key at ${path}.`);
    return value;
  }

  function follow(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    write(response, { type: 'hello', position: '0' });
    followers.add(response);
    response.once('close', () => followers.delete(response));
  }

  await api.start();
  return api;
}

function shown(bytes: Buffer, field: string | null, path: string): { value: string; encoding: 'utf8' | 'base64' } {
  if (bytes.includes(0xff)) return { value: bytes.toString('base64'), encoding: 'base64' };
  const value = textOf(bytes, field);
  if (value === null) throw new KeyferryError('field_not_found', `${path} has no field ${field}.`);
  return { value, encoding: 'utf8' };
}

function write(response: ServerResponse, message: ChangeMessage): void {
  response.write(`data: ${JSON.stringify(changeMessage.parse(message))}\n\n`);
}

function requestOf(body: unknown): readonly string[] {
  const request = resolveRequest.safeParse(body);
  if (!request.success) throw new KeyferryError('request_invalid', 'The references can’t be read.');
  return request.data.references;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}

const statusOf = (code: ErrorCode) => (/_not_found$|^not_found$/.test(code) ? 404 : 400);

function refusal(code: ErrorCode, message: string): ErrorAnswer {
  const { action } = new KeyferryError(code, message);
  return errorAnswer.parse({ error: { code, message, action, request_id: randomUUID() } });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
