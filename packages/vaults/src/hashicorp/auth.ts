import { classOf, isTransient, vaultFailure } from '@keyferry/core';
import { untilAborted } from '../common/until-aborted.ts';
import type { ConnectContext } from '../contract.ts';
import type { HashicorpAuth } from './auth-config.ts';
import type { VaultClient } from './client.ts';
import { createLogin, type Lease } from './login.ts';
import { lookUp, renew, revoke } from './token.ts';

export interface Tokens {
  /** A token that is good as far as is known; logs in if there is none. */
  current(signal: AbortSignal): Promise<string>;
  /** Another token after the vault refused this one, which is revoked. Rejects if none can be had. */
  replace(refused: string, signal: AbortSignal): Promise<string>;
  /** Whether the vault knows the token: what it says about it, or `unsure` if it says nothing. */
  check(token: string, signal: AbortSignal): Promise<'good' | 'bad' | 'unsure'>;
  /** Revokes what we logged in for, within a moment or not at all; never a token we were given. */
  close(): Promise<void>;
}

/** Renewed when this share of the lease has passed. */
const renewAfter = 0.9;

/** A timer can't wait longer: it would run at once. */
const longestWaitMs = 2 ** 31 - 1;

/** A refused login is remembered this long: every secret that waits would ask again, and some vaults lock out. */
const refusalMs = 5_000;

/** So long a token that replaced another is left in its place: a vault that refuses every token gets no more of them. */
const replacementMs = 5_000;

/** What a check of a token found is believed this long: where much is forbidden, each refusal would check again. */
const checkMs = 60_000;

/**
 * Keeps one token for a connection. However many calls want it, there is one login at a time; it belongs to the
 * connection, so that the abort of the caller who happened to start it does not fail the others.
 */
export function createTokens(auth: HashicorpAuth, client: VaultClient, context: ConnectContext): Tokens {
  const life = new AbortController();
  const given = auth.method === 'token' ? auth.token : null;
  const login = auth.method === 'token' ? null : createLogin(auth, client, context);

  let held: { token: string; expiresAt: number | null } | null = null;
  let pending: Promise<string> | null = null;
  let refusal: { error: unknown; until: number } | null = null;
  let checked: { token: string; at: number; found: ReturnType<Tokens['check']> } | null = null;
  /** Whether a token we were given was once allowed to look at itself: then a refusal is no matter of policy. */
  let looksAtItself = false;
  let replacedAt = Number.NEGATIVE_INFINITY;
  let revoking: Promise<unknown> = Promise.resolve();
  let cancelRenewal = () => {};

  function keep({ token, seconds, renewable }: Lease, askedAt: number): string {
    cancelRenewal();
    const expiresAt = seconds === null ? null : askedAt + seconds * 1000;
    held = { token, expiresAt };
    if (seconds !== null && renewable) renewLater(token, seconds * 1000 * renewAfter);
    return token;
  }

  function renewLater(token: string, delayMs: number) {
    cancelRenewal = context.later(Math.min(delayMs, longestWaitMs), () => void renewNow(token));
  }

  async function renewNow(token: string) {
    const askedAt = context.now();
    try {
      const lease = await renew(token, client, context, life.signal);
      if (held?.token === token) keep(lease, askedAt);
    } catch (error) {
      // A refusal is left to the next call, which logs in anew. An outage may pass before the token ends.
      const leftMs = (held?.token === token && held.expiresAt !== null ? held.expiresAt : 0) - context.now();
      if (isTransient(classOf(error)) && leftMs > 2_000 && !life.signal.aborted) renewLater(token, leftMs / 2);
    }
  }

  /** The lease of a token we were given. One that may not look at itself is used as it is, and not renewed. */
  async function adopt(token: string): Promise<Lease> {
    const lease = await lookUp(token, client, context, life.signal).catch((error) => {
      if (classOf(error) === 'unauthenticated' || isTransient(classOf(error))) throw error;
      return null;
    });
    looksAtItself = lease !== null;
    return lease ?? { token, seconds: null, renewable: false };
  }

  async function acquire(): Promise<string> {
    const askedAt = context.now();
    if (refusal && askedAt < refusal.until) throw refusal.error;
    try {
      return keep(login ? await login(life.signal) : await adopt(given ?? ''), askedAt);
    } catch (error) {
      if (!isTransient(classOf(error))) refusal = { error, until: context.now() + refusalMs };
      throw error;
    }
  }

  async function current(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    if (held && (held.expiresAt === null || context.now() < held.expiresAt)) return held.token;
    pending ??= acquire().finally(() => {
      pending = null;
    });
    return untilAborted(pending, signal);
  }

  async function findOut(token: string): ReturnType<Tokens['check']> {
    try {
      await lookUp(token, client, context, life.signal);
      return 'good';
    } catch (error) {
      const failureClass = classOf(error);
      if (isTransient(failureClass)) throw error;
      if (failureClass === 'unauthenticated') return 'bad';
      return failureClass === 'forbidden' && (login || looksAtItself) ? 'bad' : 'unsure';
    }
  }

  return {
    current,
    async replace(refused, signal) {
      if (given !== null) throw vaultFailure('unauthenticated', 'The vault does not accept the token it was given.');
      if (held?.token === refused) {
        if (context.now() < replacedAt + replacementMs)
          throw vaultFailure('unauthenticated', 'The vault does not accept the token that it has just given.');
        replacedAt = context.now();
        cancelRenewal();
        held = null;
        revoking = Promise.all([revoking, revoke(refused, client, context)]);
      }
      return current(signal);
    },
    async check(token, signal) {
      if (checked === null || context.now() >= checked.at + checkMs) {
        const check = { token, at: context.now(), found: findOut(token) };
        checked = check;
        // An outage found nothing out.
        check.found.catch(() => {
          if (checked === check) checked = null;
        });
      }
      // A token that has replaced a checked one lately is believed in: else each refusal would bring a login.
      return checked.token === token ? untilAborted(checked.found, signal) : 'good';
    },
    async close() {
      cancelRenewal();
      life.abort(vaultFailure('unavailable', 'The connection to the vault was closed.'));
      if (held !== null && login) revoking = Promise.all([revoking, revoke(held.token, client, context)]);
      await revoking;
    },
  };
}
