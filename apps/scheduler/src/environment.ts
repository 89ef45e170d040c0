import {
  databaseProtocols,
  type Environment,
  mostPort,
  numberVariable,
  redisProtocols,
  urlVariable,
} from '@keyferry/core';
import { defaultQueuePrefix } from '@keyferry/queue';

export interface SchedulerEnvironment {
  databaseUrl: string;
  redisUrl: string;
  queuePrefix: string;
  /** Milliseconds between two looks at what is due. */
  pollMs: number;
  /** Milliseconds after which a dispatched job that Redis doesn't hold counts as lost. */
  settleMs: number;
  /** Heads of the audit logs' chains are added to it; null where there is none. */
  anchorFile: string | null;
  health: { host: string; port: number };
}

export function readEnvironment(env: Environment): SchedulerEnvironment {
  return {
    databaseUrl: urlVariable(env, 'DATABASE_URL', databaseProtocols),
    redisUrl: urlVariable(env, 'REDIS_URL', redisProtocols),
    queuePrefix: env.KEYFERRY_QUEUE_PREFIX || defaultQueuePrefix,
    pollMs: numberVariable(env, 'KEYFERRY_SCHEDULER_POLL_MS', 500),
    settleMs: numberVariable(env, 'KEYFERRY_RECONCILE_SETTLE_MS', 10_000),
    anchorFile: env.KEYFERRY_AUDIT_ANCHOR_FILE || null,
    health: {
      host: env.KEYFERRY_HEALTH_HOST || '127.0.0.1',
      port: numberVariable(env, 'KEYFERRY_HEALTH_PORT', 8421, mostPort),
    },
  };
}
