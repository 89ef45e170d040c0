import { classOf, isTransient, vaultFailure } from '@keyferry/core';
import { untilAborted } from '../common/until-aborted.ts';
import type { ConnectContext } from '../contract.ts';
import type { Challenge } from './challenge.ts';
import type { Lease, Login } from './login.ts';

export interface Tokens {
  /** A token that is good as far as is known; logs in if there is none. */
  current(signal: AbortSignal): Promise<string>;
  /** Another token after the vault refused this one. Rejects if none can be had. */
  replace(refused: string, signal: AbortSignal): Promise<string>;
  /** What the vault told of itself; null before the first login. */
  readonly challenge: Challenge | null;
  /** Ends logins that are under way. Tokens can't be revoked, they end by themselves. */
  close(): void;
}

/** So long before its end a token is replaced, or a tenth of its time where that is less. */
const marginSeconds = 120;

/** A token is used so long at least, whatever its end: a clock that goes wrong would log in for each call. */
const leastSeconds = 5;

/** So long after a login that failed in an outage, a token that is still good is used without trying again. */
const patienceMs = 30_000;

/** A refused login is remembered this long: every secret that waits would ask again, and directories lock out. */
const refusalMs = 5_000;

/** So long a token that replaced another is left in its place: a vault that refuses every token gets no more of them. */
const replacementMs = 5_000;

/**
 * Keeps one token for a connection. However many calls want it, there is one login at a time; it belongs to the
 * connection, so that the abort of the caller who happened to start it does not fail the others.
 */
export function createTokens(
  learn: (signal: AbortSignal) => Promise<Challenge>,
  login: Login,
  context: ConnectContext,
): Tokens {
  const life = new AbortController();
  let challenge: Challenge | null = null;
  let held: { token: string; renewAt: number; endsAt: number } | null = null;
  let pending: Promise<string> | null = null;
  let refusal: { error: unknown; until: number } | null = null;
  let refusedToken: string | null = null;
  let replacedAt = Number.NEGATIVE_INFINITY;

  function keep({ token, seconds }: Lease, askedAt: number): string {
    // A machine keeps its own identity's tokens, and gives the refused one again until it ends.
    if (token === refusedToken)
      throw vaultFailure('unauthenticated', 'The vault does not accept the token, and no other one can be had yet.');
    const good = seconds > leastSeconds ? seconds : leastSeconds;
    held = {
      token,
      renewAt: askedAt + Math.max(good - Math.min(marginSeconds, good / 10), leastSeconds) * 1000,
      endsAt: askedAt + good * 1000,
    };
    return token;
  }

  async function acquire(): Promise<string> {
    const askedAt = context.now();
    if (refusal && askedAt < refusal.until) throw refusal.error;
    try {
      challenge ??= await learn(life.signal);
      return keep(await login(challenge.resource, life.signal), askedAt);
    } catch (error) {
      const now = context.now();
      const transient = isTransient(classOf(error));
      if (transient && held !== null && now < held.endsAt) {
        held.renewAt = now + patienceMs;
        return held.token;
      }
      // Where the vault itself was not understood, no credentials were sent: that may be asked again at once.
      const sent = challenge !== null && !transient;
      if (sent || classOf(error) === 'unauthenticated') refusal = { error, until: now + refusalMs };
      throw error;
    }
  }

  async function current(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    life.signal.throwIfAborted();
    if (held && context.now() < Math.min(held.renewAt, held.endsAt)) return held.token;
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
          throw vaultFailure('unauthenticated', 'The vault does not accept the token that was just issued for it.');
        replacedAt = context.now();
        refusedToken = refused;
        held = null;
        // The vault may have come into another directory.
        challenge = null;
      }
      return current(signal);
    },
    get challenge() {
      return challenge;
    },
    close() {
      life.abort(vaultFailure('unavailable', 'The connection to the vault was closed.'));
    },
  };
}
