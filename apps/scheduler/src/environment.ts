import { KeyferryError } from '@keyferry/core';
import { defaultQueuePrefix } from '@keyferry/queue';

export interface SchedulerEnvironment {
  databaseUrl: string;
  redisUrl: string;
  queuePrefix: string;
  /** Milliseconds between two looks at what is due. */
  pollMs: number;
  /** Milliseconds after which a dispatched job that Redis doesn't hold counts as lost. */
  settleMs: number;
  health: { host: string; port: number };
}

export function readEnvironment(env: NodeJS.ProcessEnv): SchedulerEnvironment {
  return {
    databaseUrl: required(env, 'DATABASE_URL'),
    redisUrl: required(env, 'REDIS_URL'),
    queuePrefix: env.KEYFERRY_QUEUE_PREFIX ?? defaultQueuePrefix,
    pollMs: wholeNumber(env, 'KEYFERRY_SCHEDULER_POLL_MS', 500),
    settleMs: wholeNumber(env, 'KEYFERRY_RECONCILE_SETTLE_MS', 10_000),
    health: { host: env.KEYFERRY_HEALTH_HOST ?? '127.0.0.1', port: wholeNumber(env, 'KEYFERRY_HEALTH_PORT', 8421) },
  };
}

function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (!value) throw new KeyferryError('config_invalid', `The environment variable ${name} is not set.`);
  return value;
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name] ?? String(fallback);
  if (!/^\d{1,9}$/.test(text)) throw new KeyferryError('config_invalid', `${name} has to be a whole number.`);
  return Number(text);
}
