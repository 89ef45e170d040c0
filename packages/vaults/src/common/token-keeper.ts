import { classOf, isTransient, vaultFailure } from '@keyferry/core';
import { untilAborted } from './until-aborted.ts';

/** What a login gives: a token, or whatever else calls are made with. */
export interface Lease<Token> {
  token: Token;
  /** Milliseconds since the epoch; infinite for what lasts. */
  endsAt: number;
}

export interface TokenKeeper<Token> {
  /** A token that is good as far as is known; logs in if there is none, or if it soon ends. */
  current(signal: AbortSignal): Promise<Token>;
  /** Another token after the vault refused this one. Rejects if none can be had. */
  replace(refused: Token, signal: AbortSignal): Promise<Token>;
}

export interface KeeperParts<Token> {
  login(signal: AbortSignal): Promise<Lease<Token>>;
  now(): number;
  /** Of the connection: logins belong to it, so that the abort of the caller who began one does not fail the others. */
  life: AbortSignal;
  /** So long before its end a token is replaced, or for the last tenth of its life, whichever is shorter. */
  earlyMs: number;
  /** Said where a token that has just replaced another is refused as well. */
  refusedAgain: string;
  /** Whether a failed login would fail again at once. Any is taken to, but for an outage. */
  isRefusal?(error: unknown): boolean;
  /** Told of a refused token, before another one is asked for. */
  dropping?(refused: Token): void;
}

/** A token is used so long at least, whatever its end: with a clock that goes wrong, each call would log in. */
const leastMs = 5_000;

/** So long after a login that failed in an outage, a token that is still good is used without trying again. */
const patienceMs = 30_000;

/** A refused login is remembered this long: every secret that waits would ask again. */
const refusalMs = 5_000;

/** So long a token that replaced another is left in its place: a vault that refuses every token gets no more of them. */
const replacementMs = 5_000;

/** Keeps one token for a connection. However many calls want it, there is one login at a time. */
export function createTokenKeeper<Token>(parts: KeeperParts<Token>): TokenKeeper<Token> {
  const { login, now, life, earlyMs, refusedAgain, dropping } = parts;
  const isRefusal = parts.isRefusal ?? ((error) => !isTransient(classOf(error)));
  let held: { token: Token; renewAt: number; endsAt: number } | null = null;
  let pending: Promise<Token> | null = null;
  let refusal: { error: unknown; until: number } | null = null;
  let replacedAt = Number.NEGATIVE_INFINITY;

  function keep(lease: Lease<Token>, askedAt: number): Token {
    const least = askedAt + leastMs;
    const endsAt = Math.max(lease.endsAt || 0, least);
    const early = Math.min(earlyMs, (endsAt - askedAt) / 10);
    held = { token: lease.token, endsAt, renewAt: Math.max(endsAt - early, least) };
    return lease.token;
  }

  async function acquire(): Promise<Token> {
    const askedAt = now();
    if (refusal && askedAt < refusal.until) throw refusal.error;
    try {
      return keep(await login(life), askedAt);
    } catch (error) {
      const failedAt = now();
      if (isTransient(classOf(error)) && held !== null && failedAt < held.endsAt) {
        held.renewAt = failedAt + patienceMs;
        return held.token;
      }
      if (isRefusal(error)) refusal = { error, until: failedAt + refusalMs };
      throw error;
    }
  }

  async function current(signal: AbortSignal): Promise<Token> {
    signal.throwIfAborted();
    life.throwIfAborted();
    if (held && now() < Math.min(held.renewAt, held.endsAt)) return held.token;
    pending ??= acquire().finally(() => {
      pending = null;
    });
    return untilAborted(pending, signal);
  }

  return {
    current,
    async replace(refused, signal) {
      if (held?.token === refused) {
        if (now() < replacedAt + replacementMs) throw vaultFailure('unauthenticated', refusedAgain);
        replacedAt = now();
        held = null;
        dropping?.(refused);
      }
      return current(signal);
    },
  };
}
