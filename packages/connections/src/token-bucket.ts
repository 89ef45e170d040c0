import type { Quota } from '@keyferry/vaults';
import type { Redis } from 'ioredis';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { wait } from './wait.ts';

/** Windows are this long: a published limit of so many a minute is spread evenly, and nobody's burst uses it up. */
const windowSeconds = 1;

export interface TokenBucket {
  /** Resolves when a call may be made; rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<void>;
  /** Lets nobody take for so long: the vault has asked for it. */
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
  const limiter: RateLimiterAbstract = redis
    ? new RateLimiterRedis({
        storeClient: redis,
        keyPrefix: '',
        points,
        duration: windowSeconds,
        insuranceLimiter: memory,
        rejectIfRedisNotReady: true,
      })
    : memory;
  let held = 0;
  let heldUntil = 0;
  let refilling: Promise<number> | null = null;

  /** Takes a batch; answers how long to wait where there is none left. */
  async function refill(): Promise<number> {
    try {
      const { msBeforeNext } = await limiter.consume(key, batch);
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
        const waitMs = await refilling;
        if (waitMs > 0) await wait(waitMs, signal);
      }
    },
    async pause(milliseconds) {
      held = 0;
      await limiter.block(key, Math.max(1, Math.ceil(milliseconds / 1000)));
    },
  };
}
