import { classOf, vaultFailure } from '@keyferry/core';
import { untilAborted } from '../common/until-aborted.ts';
import type { Credentials } from './clients.ts';
import type { Login } from './login.ts';

export interface CredentialsKeeper {
  /** Credentials that are good as far as is known; logs in if there are none. */
  current(signal: AbortSignal): Promise<Credentials>;
  /** Others after AWS refused these. Rejects if none can be had. */
  replace(refused: Credentials, signal: AbortSignal): Promise<Credentials>;
}

/** So long before their end they are replaced, or a tenth of their life before: no request is to meet it. */
const marginMs = 2 * 60_000;
const marginShare = 0.1;

/** A refused login is remembered this long: every secret that waits would ask again. */
const refusalMs = 5_000;

/** So long credentials that replaced others are left in their place: who is refused all of them gets no more. */
const replacementMs = 5_000;

/**
 * Keeps the credentials of a connection. However many calls want them, there is one login at a time; it belongs to the
 * connection, so that the abort of the caller who happened to start it does not fail the others.
 */
export function createCredentialsKeeper(login: Login, now: () => number, life: AbortSignal): CredentialsKeeper {
  let held: { credentials: Credentials; goodUntil: number } | null = null;
  let pending: Promise<Credentials> | null = null;
  let refusal: { error: unknown; until: number } | null = null;
  let replacedAt = Number.NEGATIVE_INFINITY;

  async function acquire(): Promise<Credentials> {
    const askedAt = now();
    if (refusal && askedAt < refusal.until) throw refusal.error;
    try {
      const credentials = await login.acquire(life);
      held = { credentials, goodUntil: endOfUse(credentials, askedAt) };
      return credentials;
    } catch (error) {
      if (classOf(error) === 'unauthenticated') refusal = { error, until: now() + refusalMs };
      throw error;
    }
  }

  async function current(signal: AbortSignal): Promise<Credentials> {
    signal.throwIfAborted();
    if (held && now() < held.goodUntil) return held.credentials;
    pending ??= acquire().finally(() => {
      pending = null;
    });
    return untilAborted(pending, signal);
  }

  return {
    current,
    async replace(refused, signal) {
      if (held?.credentials === refused) {
        if (now() < replacedAt + replacementMs)
          throw vaultFailure('unauthenticated', 'AWS does not accept the credentials that it has just given.');
        replacedAt = now();
        held = null;
      }
      return current(signal);
    },
  };
}

function endOfUse({ expiresAt }: Credentials, askedAt: number): number {
  if (expiresAt === null) return Number.POSITIVE_INFINITY;
  return expiresAt - Math.min(marginMs, (expiresAt - askedAt) * marginShare);
}
