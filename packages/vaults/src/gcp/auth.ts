import { classOf, isTransient, vaultFailure } from '@keyferry/core';
import { untilAborted } from '../common/until-aborted.ts';
import type { ConnectContext } from '../contract.ts';
import type { AccessToken, Login } from './login.ts';

export interface Tokens {
  /** A token that is good as far as is known; logs in if there is none, or if it soon ends. */
  current(signal: AbortSignal): Promise<string>;
  /** Another token after the vault refused this one. Rejects if none can be had. */
  replace(refused: string, signal: AbortSignal): Promise<string>;
  close(): void;
}

/** So long before its end a token is replaced, or for the last tenth of its life, whichever is shorter. */
const earlyMs = 5 * 60_000;

/** A refused login is remembered this long: every secret that waits would ask again. */
const refusalMs = 5_000;

/** So long after a login that failed in an outage, a token that is still good is used without trying again. */
const patienceMs = 30_000;

/** So long a token that replaced another is left in its place: a vault that refuses every token gets no more of them. */
const replacementMs = 5_000;

interface Held extends AccessToken {
  /** When it is to be replaced, which it is by whoever asks next. */
  renewAt: number;
}

/**
 * Keeps one access token for a connection. However many calls want it, there is one login at a time; it belongs to the
 * connection, so that the abort of the caller who happened to start it does not fail the others.
 */
export function createTokens(login: Login, context: ConnectContext): Tokens {
  const life = new AbortController();
  let held: Held | null = null;
  let pending: Promise<string> | null = null;
  let refusal: { error: unknown; until: number } | null = null;
  let replacedAt = Number.NEGATIVE_INFINITY;

  async function acquire(): Promise<string> {
    if (refusal && context.now() < refusal.until) throw refusal.error;
    try {
      const askedAt = context.now();
      const { token, expiresAt } = await login(life.signal);
      held = { token, expiresAt, renewAt: expiresAt - Math.min(earlyMs, (expiresAt - askedAt) / 10) };
      return token;
    } catch (error) {
      const now = context.now();
      if (isTransient(classOf(error)) && held !== null && now < held.expiresAt) {
        held.renewAt = now + patienceMs;
        return held.token;
      }
      if (classOf(error) === 'unauthenticated') refusal = { error, until: now + refusalMs };
      throw error;
    }
  }

  async function current(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const now = context.now();
    if (held && now < held.expiresAt && now < held.renewAt) return held.token;
    pending ??= acquire().finally(() => {
      pending = null;
    });
    return untilAborted(pending, signal);
  }

  return {
    current,
    async replace(refused, signal) {
      if (held?.token === refused) {
        if (context.now() < replacedAt + replacementMs)
          throw vaultFailure('unauthenticated', 'The vault does not accept the token that Google has just given.');
        replacedAt = context.now();
        held = null;
      }
      return current(signal);
    },
    close() {
      life.abort(vaultFailure('unavailable', 'The connection to the vault was closed.'));
    },
  };
}
