import { type VaultBackend, type VaultDefinition, vaultOfKind } from '@keyferry/vaults';
import { createContext, type PoolOptions } from './context.ts';
import type { CredentialKeys, CredentialSources } from './credential-sources.ts';
import type { Generation } from './resolve-references.ts';
import { resolveSettings } from './settings.ts';
import type { CallStatistics } from './statistics.ts';

export interface BackendToOpen {
  id: string;
  kind: string;
  /** Changes whenever the settings do; the settings are read only if no connection with it is open. */
  fingerprint: string;
  /** The configuration with its plaintext or references under `auth`. */
  settings(): Promise<unknown> | unknown;
  /** How keys that the settings refer to are read. */
  keys: CredentialKeys;
}

export interface LiveBackend {
  backend: VaultBackend;
  capabilities: VaultDefinition['capabilities'];
  statistics: CallStatistics;
  /** Where its credentials were read, and what was there then. */
  sources: CredentialSources;
  version: string;
}

/** Resolves references, checks the settings and connects, which makes no call yet. */
export async function connect(
  { id, kind, settings, keys }: BackendToOpen,
  options: PoolOptions,
  generation: Generation,
): Promise<LiveBackend> {
  const definition = vaultOfKind(options.registry, kind);
  const { config, connection, sources, version } = await resolveSettings(
    kind,
    await settings(),
    { id, keys },
    options,
    generation,
  );
  const statistics: CallStatistics = {};
  const context = createContext(options, { backendId: id, quotas: definition.quotas, connection, statistics });
  const backend = await definition.connect(config, context);
  return { backend, capabilities: definition.capabilities, statistics, sources, version };
}
