import { KeyferryError, redisProtocols } from '@keyferry/core';
import { Redis } from 'ioredis';
import { addressOf } from './address.ts';

const deadlineMs = 5_000;

export interface RedisFacts {
  /** Such as `Redis 7.0.15`. */
  server: string;
  /** 6.2 or newer. */
  supported: boolean;
  /** Anything but `noeviction` may lose jobs under memory pressure. */
  evictionPolicy: string;
}

/** Asks a Redis or Valkey once. Throws `redis_unavailable`, or `config_invalid` if the URL is none. */
export async function probeRedis(url: string): Promise<RedisFacts> {
  const server = `Redis at ${addressOf(url, 'REDIS_URL', redisProtocols)}`;
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: deadlineMs,
    commandTimeout: deadlineMs,
    enableReadyCheck: false,
  });
  let trouble = '';
  redis.on('error', (error: Error) => {
    trouble = error.message;
  });
  try {
    await redis.connect();
    return factsOf(await redis.info());
  } catch (error) {
    const words = `${trouble} ${error instanceof Error ? error.message : ''}`;
    if (/WRONGPASS|NOAUTH|NOPERM/.test(words))
      throw new KeyferryError('redis_unavailable', `${server} refused the login of REDIS_URL.`);
    throw new KeyferryError('redis_unavailable', `${server} did not answer.`);
  } finally {
    redis.disconnect();
  }
}

function factsOf(information: string): RedisFacts {
  const fact = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(information)?.[1];
  const valkey = fact('valkey_version');
  const compatible = fact('redis_version') ?? '0.0';
  const [major = 0, minor = 0] = compatible.split('.').map(Number);
  return {
    server: valkey ? `Valkey ${valkey}` : `Redis ${compatible}`,
    supported: major > 6 || (major === 6 && minor >= 2),
    evictionPolicy: fact('maxmemory_policy') ?? 'unknown',
  };
}
