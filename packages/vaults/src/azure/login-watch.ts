import { AsyncLocalStorage } from 'node:async_hooks';
import type { HttpClient, PipelineRequest } from '@azure/core-rest-pipeline';
import { type KeyferryError, vaultFailure } from '@keyferry/core';
import { transportFailure } from './errors.ts';
import { loginFailure } from './login-failure.ts';
import type { HttpAnswer, Transport } from './transport.ts';

/** What came of a request for a token. */
export type LoginEvent = { origin: string; answer: HttpAnswer } | { origin: string; error: unknown };

export interface WatchOptions {
  /** What is attempted: goes after "Could not". */
  what: string;
  /** Whether credentials may go there. */
  allows(origin: string): boolean;
  /** Whether what happened says anything about the login. */
  counts(event: LoginEvent): boolean;
}

/** One login: lets the SDK speak over our transport, as long as the signal lasts, and remembers how that went. */
export class LoginWatch {
  readonly #transport: Transport;
  readonly #signal: AbortSignal;
  readonly #options: WatchOptions;
  readonly #events: LoginEvent[] = [];

  constructor(transport: Transport, signal: AbortSignal, options: WatchOptions) {
    this.#transport = transport;
    this.#signal = signal;
    this.#options = options;
  }

  async send({ method, url, headers, body, timeout }: PipelineRequest): Promise<HttpAnswer> {
    const { origin } = new URL(url);
    if (!this.#options.allows(origin)) throw new Error('the directory sends to another address');
    if (body != null && typeof body !== 'string') throw new Error('a body is text');
    // The SDK's look for a metadata service has its own end, since where there is none nothing answers.
    const signal = timeout > 0 ? AbortSignal.any([this.#signal, AbortSignal.timeout(timeout)]) : this.#signal;
    const { 'accept-encoding': _encoding, ...others } = headers.toJSON();
    try {
      const answer = await this.#transport.send({ method, url, headers: others, body: body ?? null, signal });
      this.#events.push({ origin, answer });
      return answer;
    } catch (error) {
      this.#events.push({ origin, error });
      throw error;
    }
  }

  /** Why a login that the SDK gave up did not succeed, by what was answered: its own errors hold parts of answers. */
  failure(now: number): KeyferryError {
    const { what, counts } = this.#options;
    const last = this.#events.findLast(counts);
    if (last === undefined)
      return vaultFailure('unauthenticated', `Could not ${what}: there is no identity that can be used.`);
    return 'error' in last ? transportFailure(last.error, what) : loginFailure(last.answer, what, now);
  }
}

/** The login that a request of the SDK's belongs to. */
export const currentLogin = new AsyncLocalStorage<LoginWatch>();

/**
 * The one HTTP client of all credentials: whichever the SDK was given first for managed identities it keeps for the whole
 * process, whatever becomes of the connection that it came from.
 */
export async function createLoginHttpClient(): Promise<HttpClient> {
  const { createHttpHeaders } = await import('@azure/core-rest-pipeline');
  return {
    async sendRequest(request) {
      const login = currentLogin.getStore();
      if (login === undefined) throw new Error('no login is under way');
      const { status, headers, text } = await login.send(request);
      return { request, status, headers: createHttpHeaders(headers), bodyAsText: text };
    },
  };
}
