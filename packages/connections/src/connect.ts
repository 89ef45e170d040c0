import { type VaultBackend, type VaultDefinition, type VaultRegistry, vaultOfKind } from '@keyferry/vaults';
import { uncounted } from './call-counts.ts';
import { createCallPolicy } from './call-policy.ts';
import type { ConnectionLimits } from './limits.ts';
import { resolveReferences } from './references.ts';
import { validateSettings } from './settings.ts';
import type { CallStatistics } from './statistics.ts';

export interface PoolOptions {
  registry: VaultRegistry;
  /** Variables that a backend's credentials may refer to: names, or names ending in `*`. */
  allowedEnvironment: readonly string[];
  environment: NodeJS.ProcessEnv;
  limits?: Partial<ConnectionLimits>;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

export interface LiveBackend {
  backend: VaultBackend;
  capabilities: VaultDefinition['capabilities'];
  statistics: CallStatistics;
}

/** setTimeout takes no longer wait: beyond it, it fires at once. */
const longestTimerMs = 2 ** 31 - 1;

/** Resolves references, checks the settings and connects, which makes no call yet. */
export async function connect(
  kind: string,
  settings: unknown,
  options: PoolOptions,
  limits: ConnectionLimits,
): Promise<LiveBackend> {
  const definition = vaultOfKind(options.registry, kind);
  const resolved = withReferencesResolved(settings, options);
  const config = validateSettings(options.registry, kind, resolved) as never;
  const statistics: CallStatistics = {};
  const backend = await definition.connect(config, {
    call: createCallPolicy(limits, statistics),
    parallelism: limits.parallelism,
    now: options.now ?? Date.now,
    later(delayMs, run) {
      const timer = uncounted(() => setTimeout(run, Math.min(delayMs, longestTimerMs)).unref());
      return () => clearTimeout(timer);
    },
  });
  return { backend, capabilities: definition.capabilities, statistics };
}

function withReferencesResolved(settings: unknown, options: PoolOptions): unknown {
  if (typeof settings !== 'object' || settings === null || !('auth' in settings)) return settings;
  const auth = resolveReferences(settings.auth, options.environment, options.allowedEnvironment);
  return { ...settings, auth };
}
