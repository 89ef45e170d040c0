import { randomUUID } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';
import { ApiError } from './api-error.ts';
import { type Place, tenantHeaders } from './locate.ts';

/** What a flush answers. */
interface Flushed {
  message: string;
}

interface Sending {
  query?: Query | undefined;
  body?: object | undefined;
  headers?: Record<string, string>;
  withinMs?: number;
}

interface Asking extends Pick<Sending, 'query' | 'body' | 'withinMs'> {
  method?: 'GET' | 'POST';
}

export type Query = Record<string, string | number | boolean | undefined>;

/**
 * The HTTP API. Paths are below `/v1`. Rejects with an `ApiError` if the API refuses, and with `api_unavailable` if
 * nobody answers or what answers is something else.
 */
export interface ApiClient {
  readonly url: string;
  get<Answer>(path: string, query?: Query): Promise<Answer>;
  post<Answer>(path: string, body?: object): Promise<Answer>;
  /** With a key that makes it safe to be sent twice. */
  put<Answer>(path: string, body: object): Promise<Answer>;
  patch<Answer>(path: string, body: object, query?: Query): Promise<Answer>;
  delete<Answer>(path: string, query?: Query): Promise<Answer>;
  /** Asks, by POST if nothing else is said, for an answer of one JSON document a line, and gives each as it comes. Rejects if one is an error. */
  lines<Line>(path: string, asking?: Asking): AsyncGenerator<Line, void>;
  /** The one route that isn't below `/v1`. Rejects with `vault_not_enabled` where there is nothing to flush. */
  flushCache(): Promise<Flushed>;
}

/** Longer than the API itself waits for a vault that is tested. */
const deadlineMs = 30_000;
/** Longer than the API takes for any answer that comes line by line. */
const streamDeadlineMs = 11 * 60_000;

export function createApiClient({ url, token, tenant }: Place): ApiClient {
  async function send(
    method: string,
    path: string,
    { query = {}, body, withinMs = deadlineMs, headers: further = {} }: Sending = {},
  ): Promise<Response> {
    const target = new URL(`${url.replace(/\/+$/, '')}${path}`);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) target.searchParams.set(name, String(value));
    const headers = {
      authorization: `Bearer ${token}`,
      ...tenantHeaders(tenant),
      ...(body && { 'content-type': 'application/json' }),
      ...further,
    };
    return await fetch(target, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(withinMs),
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw unreachable(url, error, withinMs);
    });
  }

  async function call<Answer>(method: string, path: string, sending?: Sending): Promise<Answer> {
    const response = await send(method, `/v1${path}`, sending);
    const answer = await response.json().catch(() => null);
    if (response.ok && answer !== null) return answer as Answer;
    throw refusal(response, answer);
  }

  function refusal({ status }: Response, answer: unknown): Error {
    if (isErrorAnswer(answer)) return new ApiError(status, answer.error);
    return new KeyferryError(
      'api_unavailable',
      `What answers at ${url} is not Keyferry's API (HTTP status ${status}).`,
    );
  }

  async function* lines<Line>(
    path: string,
    { method = 'POST', withinMs = streamDeadlineMs, ...asking }: Asking = {},
  ): AsyncGenerator<Line, void> {
    const response = await send(method, `/v1${path}`, { ...asking, withinMs });
    if (!response.ok || !response.body) throw refusal(response, await response.json().catch(() => null));
    for await (const text of linesOf(response.body, url, withinMs)) {
      const line = parse(text);
      if (line === null || isErrorAnswer(line)) throw refusal(response, line);
      yield line as Line;
    }
  }

  async function flushCache(): Promise<Flushed> {
    const response = await send('POST', '/api/vault/flush-cache');
    const answer = await response.json().catch(() => null);
    if (response.ok && answer !== null) return answer as Flushed;
    if (typeof (answer as { error?: unknown } | null)?.error === 'string')
      throw new KeyferryError('vault_not_enabled', 'Keyferry has no vault whose values it could keep.');
    throw refusal(response, answer);
  }
  return {
    url,
    get: (path, query) => call('GET', path, { query }),
    post: (path, body) => call('POST', path, { body }),
    put: (path, body) => call('PUT', path, { body, headers: { 'idempotency-key': randomUUID() } }),
    patch: (path, body, query) => call('PATCH', path, { query, body }),
    delete: (path, query) => call('DELETE', path, { query }),
    lines,
    flushCache,
  };
}

/** Whole lines of a body, as they come. What comes after the last end of a line was cut off. */
async function* linesOf(body: ReadableStream<Uint8Array>, url: string, withinMs: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw unreachable(url, error, withinMs);
      });
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } finally {
    // So that the API stops working for nobody.
    await reader.cancel().catch(() => {});
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function unreachable(url: string, error: unknown, withinMs: number): KeyferryError {
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return new KeyferryError(
      'api_unavailable',
      `Keyferry at ${url} did not answer in ${withinMs / 1000} seconds. It may be busy, and may still do what it was asked.`,
    );
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  return new KeyferryError('api_unavailable', `Keyferry at ${url} can't be reached${code}.`);
}

function isErrorAnswer(answer: unknown): answer is { error: { code: string; message: string; action: string } } {
  const error = (answer as { error?: { code?: unknown; message?: unknown; action?: unknown } } | null)?.error;
  return [error?.code, error?.message, error?.action].every((text) => typeof text === 'string');
}
