import { type VaultBackend, type VaultDefinition, vaultOfKind } from '@keyferry/vaults';
import { createContext, type PoolOptions } from './context.ts';
import type { ConnectionLimits } from './limits.ts';
import { resolveSettings } from './settings.ts';
import type { CallStatistics } from './statistics.ts';

export interface LiveBackend {
  backend: VaultBackend;
  capabilities: VaultDefinition['capabilities'];
  statistics: CallStatistics;
}

/** Resolves references, checks the settings and connects, which makes no call yet. */
export async function connect(
  kind: string,
  settings: unknown,
  options: PoolOptions,
  limits: ConnectionLimits,
): Promise<LiveBackend> {
  const definition = vaultOfKind(options.registry, kind);
  const config = resolveSettings(kind, settings, options);
  const statistics: CallStatistics = {};
  const backend = await definition.connect(config, createContext(options, limits, statistics));
  return { backend, capabilities: definition.capabilities, statistics };
}
