import type { ConnectContext } from '@keyferry/vaults';
import { readAllowedFile } from './allowed-files.ts';
import { uncounted } from './call-counts.ts';
import { createCallPolicy } from './call-policy.ts';
import type { ConnectionLimits } from './limits.ts';
import type { SettingsOptions } from './settings.ts';
import type { CallStatistics } from './statistics.ts';

export interface PoolOptions extends SettingsOptions {
  limits?: Partial<ConnectionLimits>;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** setTimeout takes no longer wait: beyond it, it fires at once. */
const longestTimerMs = 2 ** 31 - 1;

/** What a vault's code is given, with limits of its own. */
export function createContext(
  options: PoolOptions,
  limits: ConnectionLimits,
  statistics: CallStatistics,
): ConnectContext {
  return {
    call: createCallPolicy(limits, statistics),
    parallelism: limits.parallelism,
    now: options.now ?? Date.now,
    later(delayMs, run) {
      const timer = uncounted(() => setTimeout(run, Math.min(delayMs, longestTimerMs)).unref());
      return () => clearTimeout(timer);
    },
    readAllowedFile: (path) => readAllowedFile(path, options.allowedFiles),
  };
}
