import type { Redis } from '@keyferry/queue';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';

const windowMs = 60_000;

/** So long Redis isn't asked again after it failed: each process goes by what it has counted itself. */
const withoutRedisMs = 5_000;

/** Who was counted the longest ago is forgotten beyond so many: addresses are a stranger's to choose. */
const mostKeys = 100_000;

export interface SharedLimit {
  /** Counts one, and answers 0; or counts nothing, and answers how many milliseconds to wait. Never waits itself. */
  take(key: string): number;
  /** What `take` would answer, without counting. */
  wait(key: string): number;
}

export interface SharedLimitOptions {
  redis: Redis;
  /** What its keys in Redis begin with. */
  prefix: string;
  /** So many a minute of the clock. */
  points: number;
  /** Milliseconds since the epoch. */
  now: () => number;
}

interface Count {
  /** Let through here in this minute. */
  used: number;
  /** Taken from Redis in this minute. */
  granted: number;
  /** What Redis had left by then. */
  left: number;
  asking: boolean;
  /** Redis has none left. */
  over: boolean;
}

/**
 * A limit that all processes keep together. What is let through is counted here and taken from Redis afterwards, ahead for
 * several requests at once, so that nobody waits for Redis, and few requests cost a round trip. In a minute each process may
 * let through, beyond the limit, what it never tells of (a hundredth) and what comes while Redis is asked; and leave unused
 * what it took ahead (as much as it used, a tenth at most). Without Redis each keeps to the whole limit by itself.
 */
export function createSharedLimit({ redis, prefix, points, now }: SharedLimitOptions): SharedLimit {
  const untold = Math.floor(points / 100);
  const mostAhead = Math.floor(points / 10);
  const shared = new RateLimiterRedis({
    storeClient: redis,
    keyPrefix: '',
    points,
    duration: windowMs / 1000,
    rejectIfRedisNotReady: true,
  });
  let minute = 0;
  let counts = new Map<string, Count>();
  let aloneUntil = Number.NEGATIVE_INFINITY;

  function turn(at: number): void {
    const current = Math.floor(at / windowMs);
    if (current === minute) return;
    minute = current;
    counts = new Map();
  }

  function countOf(key: string): Count {
    const known = counts.get(key);
    if (known) return known;
    const count = { used: 0, granted: 0, left: points, asking: false, over: false };
    const [oldest] = counts.size < mostKeys ? [] : counts.keys();
    if (oldest !== undefined) counts.delete(oldest);
    counts.set(key, count);
    return count;
  }

  const isOver = ({ over, used, granted, left }: Count) => over || used >= points || (left === 0 && used >= granted);

  const waitOf = (count: Count | undefined, at: number) =>
    count !== undefined && isOver(count) ? (minute + 1) * windowMs - at : 0;

  async function ask(key: string, count: Count): Promise<void> {
    // Half of what is left, so that others get some of it too, and the end is not missed by what was taken and not used.
    const ahead = Math.min(count.used, mostAhead, Math.floor(count.left / 2));
    const wanted = count.used - count.granted + ahead;
    if (wanted === 0) return;
    count.asking = true;
    try {
      const { remainingPoints } = await shared.consume(`${prefix}:${minute}:${key}`, wanted);
      count.granted += wanted;
      count.left = remainingPoints;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) count.over = true;
      else aloneUntil = now() + withoutRedisMs;
    } finally {
      count.asking = false;
    }
  }

  return {
    take(key) {
      const at = now();
      turn(at);
      const count = countOf(key);
      const waitMs = waitOf(count, at);
      if (waitMs > 0) return waitMs;
      count.used++;
      if (count.used > untold && count.used >= count.granted && !count.asking && at >= aloneUntil) void ask(key, count);
      return 0;
    },
    wait(key) {
      const at = now();
      turn(at);
      return waitOf(counts.get(key), at);
    },
  };
}
