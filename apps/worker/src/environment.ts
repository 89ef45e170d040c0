import { parseAllowedFiles, parseAllowedIdentities } from '@keyferry/connections';
import {
  databaseProtocols,
  type Environment,
  firstRetryDelayMs,
  KeyferryError,
  listVariable,
  type MasterKeySource,
  masterKeyVariables,
  mostPort,
  numberVariable,
  redisProtocols,
  type Stage,
  stages,
  urlVariable,
} from '@keyferry/core';
import { type EgressPolicy, parseEgress } from '@keyferry/egress';
import { defaultLockMs, defaultQueuePrefix } from '@keyferry/queue';
import type { AmbientIdentity } from '@keyferry/vaults';

export interface WorkerEnvironment {
  databaseUrl: string;
  redisUrl: string;
  queuePrefix: string;
  masterKey: MasterKeySource;
  allowedEnvironment: string[];
  allowedFiles: string[];
  allowedIdentities: AmbientIdentity[];
  /** Where notifications may be sent, and where vaults may be, though it isn't public. */
  egress: EgressPolicy;
  allowedVaults: EgressPolicy;
  concurrency: Record<Stage, number>;
  /** Milliseconds that a job may go without a sign of life before another worker takes it. */
  lockMs: number;
  /** Milliseconds before a failed stage is tried again. */
  firstRetryMs: number;
  health: { host: string; port: number };
}

/**
 * Jobs wait for their vault most of the time, and one whose vault hangs waits long: many run at once, so that it keeps no
 * other backend waiting. What a backend's jobs ask for at a time is bounded by its connection. A stage set to 0 is left to
 * other pools.
 */
const defaultConcurrency: Record<Stage, number> = { discover: 32, validate: 4, sync: 16, deprecate: 16, notify: 4 };

export function readEnvironment(env: Environment): WorkerEnvironment {
  return {
    databaseUrl: urlVariable(env, 'DATABASE_URL', databaseProtocols),
    redisUrl: urlVariable(env, 'REDIS_URL', redisProtocols),
    queuePrefix: env.KEYFERRY_QUEUE_PREFIX || defaultQueuePrefix,
    masterKey: masterKeyVariables(env),
    allowedEnvironment: listVariable(env, 'KEYFERRY_ALLOWED_ENV'),
    allowedFiles: parseAllowedFiles(env.KEYFERRY_ALLOWED_FILES ?? ''),
    allowedIdentities: parseAllowedIdentities(listVariable(env, 'KEYFERRY_ALLOWED_IDENTITIES')),
    egress: parseEgress(env.KEYFERRY_ALLOWED_EGRESS),
    allowedVaults: parseEgress(env.KEYFERRY_ALLOWED_VAULTS, 'KEYFERRY_ALLOWED_VAULTS'),
    concurrency: readConcurrency(env),
    lockMs: numberVariable(env, 'KEYFERRY_JOB_LOCK_MS', defaultLockMs),
    firstRetryMs: numberVariable(env, 'KEYFERRY_FIRST_RETRY_MS', firstRetryDelayMs),
    health: {
      host: env.KEYFERRY_HEALTH_HOST || '127.0.0.1',
      port: numberVariable(env, 'KEYFERRY_HEALTH_PORT', 8422, mostPort),
    },
  };
}

/** `sync=8,discover=2`: what isn't named keeps its default. */
function readConcurrency(env: Environment): Record<Stage, number> {
  const concurrency = { ...defaultConcurrency };
  for (const entry of listVariable(env, 'KEYFERRY_WORKER_CONCURRENCY')) {
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
