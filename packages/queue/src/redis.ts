import { KeyferryError } from '@keyferry/core';
import { Redis } from 'ioredis';

export type { Redis } from 'ioredis';

export const defaultQueuePrefix = '{keyferry}';

/** ioredis waits up to 20 s between tries, which makes recovery after an outage take that long. */
const longestReconnectDelayMs = 2_000;
/** A Redis that swallows commands without an answer is as good as away. */
const commandTimeoutMs = 10_000;

/**
 * A connection to Redis or Valkey that reconnects for ever. `producer` commands fail at once while Redis is away, since
 * Postgres knows what has to be enqueued later; a `consumer` waits, as BullMQ's workers need.
 */
export function openRedis(url: string, use: 'producer' | 'consumer', onError: (error: Error) => void): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: use === 'consumer',
    // BullMQ's workers block on Redis for as long as it takes; whoever asks something wants to know.
    ...(use === 'consumer'
      ? { maxRetriesPerRequest: null }
      : { maxRetriesPerRequest: 1, commandTimeout: commandTimeoutMs }),
    retryStrategy: (attempt) => Math.min(attempt * 100, longestReconnectDelayMs),
  });
  redis.on('error', onError);
  return redis;
}

/** Resolves once Redis answers. Throws `redis_unavailable` after the deadline, and if the server is too old. */
export async function waitForRedis(redis: Redis, deadlineMs: number): Promise<void> {
  const unavailable = new KeyferryError('redis_unavailable', 'Redis did not answer.');
  if (redis.status !== 'ready')
    await new Promise<void>((resolve, reject) => {
      const done = (act: () => void) => {
        clearTimeout(timer);
        redis.off('ready', ready);
        act();
      };
      const ready = () => done(resolve);
      const timer = setTimeout(() => done(() => reject(unavailable)), deadlineMs);
      redis.once('ready', ready);
    });
  const information = await redis.info('server').catch(() => {
    throw unavailable;
  });
  const [major = 0, minor = 0] = (/redis_version:(\d+)\.(\d+)/.exec(information) ?? []).slice(1).map(Number);
  if (major < 6 || (major === 6 && minor < 2))
    throw new KeyferryError('redis_unavailable', `Redis ${major}.${minor} is too old for Keyferry.`);
}
