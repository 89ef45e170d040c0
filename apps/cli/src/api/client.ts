import { KeyferryError } from '@keyferry/core';
import { ApiError } from './api-error.ts';

export type Query = Record<string, string | number | boolean | undefined>;

/**
 * The HTTP API. Paths are below `/v1`. Rejects with an `ApiError` if the API refuses, and with `api_unavailable` if
 * nobody answers or what answers is something else.
 */
export interface ApiClient {
  readonly url: string;
  get<Answer>(path: string, query?: Query): Promise<Answer>;
  post<Answer>(path: string, body?: object): Promise<Answer>;
  patch<Answer>(path: string, body: object, query?: Query): Promise<Answer>;
  delete<Answer>(path: string, query?: Query): Promise<Answer>;
}

/** Longer than the API itself waits for a vault that is tested. */
const deadlineMs = 30_000;

export function createApiClient(url: string, token: string): ApiClient {
  async function call<Answer>(method: string, path: string, query: Query = {}, body?: object): Promise<Answer> {
    const target = new URL(`${url.replace(/\/+$/, '')}/v1${path}`);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) target.searchParams.set(name, String(value));
    const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
    const response = await fetch(target, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(deadlineMs),
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw unreachable(url, error);
    });
    const answer = await response.json().catch(() => null);
    if (response.ok && answer !== null) return answer as Answer;
    if (isErrorAnswer(answer)) throw new ApiError(response.status, answer.error);
    throw new KeyferryError(
      'api_unavailable',
      `What answers at ${url} is not Keyferry's API (HTTP status ${response.status}).`,
    );
  }
  return {
    url,
    get: (path, query) => call('GET', path, query),
    post: (path, body) => call('POST', path, {}, body),
    patch: (path, body, query) => call('PATCH', path, query, body),
    delete: (path, query) => call('DELETE', path, query),
  };
}

function unreachable(url: string, error: unknown): KeyferryError {
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return new KeyferryError('api_unavailable', `Keyferry at ${url} did not answer in ${deadlineMs / 1000} seconds.`);
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  return new KeyferryError('api_unavailable', `Keyferry at ${url} can't be reached${code}.`);
}

function isErrorAnswer(answer: unknown): answer is { error: { code: string; message: string; action: string } } {
  const error = (answer as { error?: { code?: unknown; message?: unknown; action?: unknown } } | null)?.error;
  return [error?.code, error?.message, error?.action].every((text) => typeof text === 'string');
}
