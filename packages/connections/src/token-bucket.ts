import { type Quota, untilAborted } from '@keyferry/vaults';
import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { wait } from './wait.ts';

/** Windows are this long: a published limit of so many a minute is spread evenly, and nobody's burst uses it up. */
const windowSeconds = 1;

/** A Redis that takes longer is as good as away: tokens that came later would have run out on their way. */
const patienceMs = 250;

/** So long it isn't asked again then. */
const withoutRedisMs = 5_000;

export interface TokenBucket {
  /** Resolves when a call may be made; rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<void>;
  /** Lets nobody take for so long, or for as long as was asked before: the vault has asked for it. */
  pause(milliseconds: number): Promise<void>;
}

export interface BucketOptions {
  /** Without one, the limit is each process's own. */
  redis: Redis | undefined;
  /** Whoever uses the same key shares the limit. */
  key: string;
  quota: Pick<Quota, 'calls' | 'seconds'>;
  now: () => number;
}

/**
 * A limit that all processes keep together. Tokens are taken from Redis for several calls at once, a tenth of a window's at
 * the most, since a round trip for each call would cost more than some vaults' answers do. Without Redis each process keeps
 * to the whole limit by itself.
 */
export function createTokenBucket({ redis, key, quota, now }: BucketOptions): TokenBucket {
  const points = Math.max(1, Math.floor((quota.calls / quota.seconds) * windowSeconds));
  const batch = Math.max(1, Math.floor(points / 10));
  const memory = new RateLimiterMemory({ points, duration: windowSeconds });
  const shared =
    redis &&
    new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: '',
      points,
      duration: windowSeconds,
      rejectIfRedisNotReady: true,
    });
  let held = 0;
  let heldUntil = 0;
  let aloneUntil = Number.NEGATIVE_INFINITY;
  let refilling: Promise<number> | null = null;

  async function consume(): Promise<RateLimiterRes> {
    if (!shared || now() < aloneUntil) return await memory.consume(key, batch);
    const asked = shared.consume(key, batch);
    const gaveUp = new AbortController();
    const late = wait(patienceMs, gaveUp.signal).then(() => null);
    late.catch(() => {});
    try {
      const answer = await Promise.race([asked, late]);
      if (answer) return answer;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) throw refusal;
    } finally {
      gaveUp.abort();
    }
    asked.catch(() => {});
    aloneUntil = now() + withoutRedisMs;
    return await memory.consume(key, batch);
  }

  /** Takes a batch; answers how long to wait where there is none left. */
  async function refill(): Promise<number> {
    try {
      const { msBeforeNext } = await consume();
      held = batch;
      heldUntil = now() + msBeforeNext;
      return 0;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext);
      throw refusal;
    }
  }

  return {
    async take(signal) {
      for (;;) {
        signal.throwIfAborted();
        if (held > 0 && now() < heldUntil) {
          held--;
          return;
        }
        refilling ??= refill().finally(() => {
          refilling = null;
        });
        const waitMs = await untilAborted(refilling, signal);
        if (waitMs > 0) await wait(waitMs, signal);
      }
    },
    async pause(milliseconds) {
      held = 0;
      const limiter = shared ?? memory;
      const before = await limiter.get(key);
      const pausedMs = before && before.consumedPoints > points ? before.msBeforeNext : 0;
      if (milliseconds > pausedMs) await limiter.block(key, Math.ceil(milliseconds / 1000));
    },
  };
}
