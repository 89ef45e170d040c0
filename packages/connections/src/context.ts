import type { ConnectionSettings } from '@keyferry/contracts';
import type { Resolve } from '@keyferry/egress';
import type { CallOperation, ConnectContext, Quota } from '@keyferry/vaults';
import type { Redis } from 'ioredis';
import { readAllowedFile } from './allowed-files.ts';
import { uncounted } from './call-counts.ts';
import { createCallPolicy } from './call-policy.ts';
import { type ConnectionLimits, defaultLimits } from './limits.ts';
import type { SettingsOptions } from './settings.ts';
import type { CallStatistics } from './statistics.ts';
import { createTokenBucket, type TokenBucket } from './token-bucket.ts';
import { vaultEgress } from './vault-egress.ts';

export interface PoolOptions extends SettingsOptions {
  limits?: Partial<ConnectionLimits>;
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** How names of vaults are looked up; the system's way by default. */
  resolve?: Resolve;
  /** Where processes keep their limits together, and the prefix of the keys that are theirs. */
  shared?: { redis: Redis; prefix: string };
}

/** setTimeout takes no longer wait: beyond it, it fires at once. */
const longestTimerMs = 2 ** 31 - 1;

export interface ContextInput {
  /** Who shares limits with other processes; null for a use that is over soon. */
  backendId: string | null;
  quotas: readonly Quota[];
  connection: ConnectionSettings;
  statistics: CallStatistics;
}

/** What a vault's code is given, with limits of its own. */
export function createContext(options: PoolOptions, input: ContextInput): ConnectContext {
  const { connection, statistics } = input;
  const limits = { ...defaultLimits, ...options.limits };
  const parallelism = connection.parallelism ?? limits.parallelism;
  const now = options.now ?? Date.now;
  const bucketOf = createBuckets(options, input, now);
  return {
    ...createCallPolicy({ limits: { ...limits, parallelism }, statistics, bucketOf, now }),
    parallelism,
    now,
    later(delayMs, run) {
      const timer = uncounted(() => setTimeout(run, Math.min(delayMs, longestTimerMs)).unref());
      return () => clearTimeout(timer);
    },
    readAllowedFile: (path) => readAllowedFile(path, options.allowedFiles),
    egress: vaultEgress(options.allowedVaults, options.resolve),
  };
}

/** One bucket for each published limit, or for whatever a person has set in place of all of them. */
function createBuckets(
  { shared }: PoolOptions,
  { backendId, quotas, connection }: ContextInput,
  now: () => number,
): (operation: CallOperation) => TokenBucket | undefined {
  const own = connection.calls_per_second;
  const bucket = (name: string, quota: Pick<Quota, 'calls' | 'seconds'>) =>
    createTokenBucket({
      redis: backendId === null ? undefined : shared?.redis,
      key: `${shared?.prefix ?? ''}:rate:${backendId ?? ''}:${name}`,
      quota,
      now,
    });
  if (own !== undefined) {
    const all = bucket('all', { calls: own, seconds: 1 });
    return () => all;
  }
  const buckets = new Map<CallOperation, TokenBucket>();
  for (const quota of quotas) {
    const one = bucket(quota.operations.join('+'), quota);
    for (const operation of quota.operations) buckets.set(operation, one);
  }
  return (operation) => buckets.get(operation);
}
