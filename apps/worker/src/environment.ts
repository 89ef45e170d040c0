import { parseAllowedFiles } from '@keyferry/connections';
import { KeyferryError, type Stage, stages } from '@keyferry/core';
import { defaultQueuePrefix } from '@keyferry/queue';

export interface WorkerEnvironment {
  databaseUrl: string;
  redisUrl: string;
  queuePrefix: string;
  masterKey: { text: string | undefined; file: string | undefined };
  allowedEnvironment: string[];
  allowedFiles: string[];
  concurrency: Record<Stage, number>;
  lockMs: number | undefined;
  firstRetryMs: number | undefined;
  health: { host: string; port: number };
  logLevel: string;
}

/**
 * Jobs wait for their vault most of the time, and one whose vault hangs waits long: many run at once, so that it keeps no
 * other backend waiting. What a backend's jobs ask for at a time is bounded by its connection. A stage set to 0 is left to
 * other pools.
 */
const defaultConcurrency: Record<Stage, number> = { discover: 32, validate: 4, sync: 16, deprecate: 16, notify: 4 };

export function readEnvironment(env: NodeJS.ProcessEnv): WorkerEnvironment {
  return {
    databaseUrl: required(env, 'DATABASE_URL'),
    redisUrl: required(env, 'REDIS_URL'),
    queuePrefix: env.KEYFERRY_QUEUE_PREFIX ?? defaultQueuePrefix,
    masterKey: { text: env.KEYFERRY_MASTER_KEY, file: env.KEYFERRY_MASTER_KEY_FILE },
    allowedEnvironment: (env.KEYFERRY_ALLOWED_ENV ?? '').split(',').filter((name) => name !== ''),
    allowedFiles: parseAllowedFiles(env.KEYFERRY_ALLOWED_FILES ?? ''),
    concurrency: readConcurrency(env.KEYFERRY_WORKER_CONCURRENCY),
    lockMs: env.KEYFERRY_JOB_LOCK_MS ? wholeNumber(env, 'KEYFERRY_JOB_LOCK_MS') : undefined,
    firstRetryMs: env.KEYFERRY_FIRST_RETRY_MS ? wholeNumber(env, 'KEYFERRY_FIRST_RETRY_MS') : undefined,
    health: { host: env.KEYFERRY_HEALTH_HOST ?? '127.0.0.1', port: wholeNumber(env, 'KEYFERRY_HEALTH_PORT', 8422) },
    logLevel: env.KEYFERRY_LOG_LEVEL ?? 'info',
  };
}

/** `sync=8,discover=2`: what isn't named keeps its default. */
function readConcurrency(text = ''): Record<Stage, number> {
  const concurrency = { ...defaultConcurrency };
  for (const entry of text.split(',').filter((part) => part !== '')) {
    const [stage, number] = entry.split('=');
    if (!isStage(stage) || !/^\d{1,3}$/.test(number ?? ''))
      throw new KeyferryError(
        'config_invalid',
        `KEYFERRY_WORKER_CONCURRENCY has "${entry}", which is not <stage>=<number>; stages are ${stages.join(', ')}.`,
      );
    concurrency[stage] = Number(number);
  }
  return concurrency;
}

const isStage = (text: string | undefined): text is Stage => stages.includes(text as Stage);

function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (!value) throw new KeyferryError('config_invalid', `The environment variable ${name} is not set.`);
  return value;
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, fallback?: number): number {
  const text = env[name] ?? String(fallback);
  if (!/^\d{1,9}$/.test(text)) throw new KeyferryError('config_invalid', `${name} has to be a whole number.`);
  return Number(text);
}
