import { clientError, KeyferryClientError } from './error.ts';
import { eventData } from './event-stream.ts';
import { type ChangeMessage, changeMessageOf, errorOf, type Item, itemsOf } from './messages.ts';
import type { Settings } from './options.ts';

/** The two routes that the client lives on. A test holds them to Keyferry's contracts. */
export interface Api {
  /** Whether Keyferry could not be reached, or not work, when it was asked last. */
  readonly away: boolean;
  /**
   * One item a reference, in their order. Rejects with `Away` if Keyferry can't be reached or can't work, and with its
   * own error if it refuses.
   */
  resolve(references: readonly string[], withinMs: number): Promise<Item[]>;
  /** What changes, as it is told, until the signal or the connection ends. Rejects as `resolve` does. */
  changes(signal: AbortSignal): AsyncGenerator<ChangeMessage, void>;
}

/** Keyferry can't be reached, or can't work: what was read before may be given for a while. */
export class Away extends KeyferryClientError {}

export function createApi({ url, token, fetch }: Settings, closed: AbortSignal): Api {
  let away = false;

  async function ask(path: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${token}` };
    // A redirect would carry the token elsewhere.
    const response = await fetch(`${url}/v1${path}`, { ...init, headers, redirect: 'manual' }).catch(fail);
    const refusal = response.ok ? null : errorOf(await response.json().catch(() => null));
    if (!response.ok && (!refusal || response.status >= 500 || response.status === 429))
      throw gone(`Keyferry at ${url} can't answer (HTTP status ${response.status}).`);
    away = false;
    if (!refusal) return response;
    throw new KeyferryClientError(refusal.code, refusal.message, { action: refusal.action });
  }

  function fail(error: unknown): never {
    if (closed.aborted) throw clientError('client_closed', 'The client was closed.');
    if (error instanceof KeyferryClientError) throw error;
    if (error instanceof DOMException && error.name === 'TimeoutError')
      throw gone(`Keyferry at ${url} did not answer in time.`);
    const cause = error instanceof Error ? error.cause : undefined;
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
    throw gone(`Keyferry at ${url} can't be reached${code}.`);
  }

  function gone(message: string): Away {
    away = true;
    return new Away('api_unavailable', message);
  }

  const unlessNoJson = (error: unknown) => (error instanceof SyntaxError ? null : fail(error));

  return {
    get away() {
      return away;
    },

    async resolve(references, withinMs) {
      const response = await ask('/secrets/resolve', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ references }),
        signal: AbortSignal.any([closed, AbortSignal.timeout(withinMs)]),
      });
      const items = itemsOf(await response.json().catch(unlessNoJson), references);
      return items ?? fail(gone(`What answers at ${url} is not Keyferry's API.`));
    },

    async *changes(signal) {
      const response = await ask('/changes', { headers: { accept: 'text/event-stream' }, signal });
      if (!response.body) throw gone(`What answers at ${url} is not Keyferry's API.`);
      try {
        for await (const data of eventData(response.body)) {
          away = false;
          const message = changeMessageOf(data);
          if (message) yield message;
        }
      } catch (error) {
        fail(error);
      }
    },
  };
}
