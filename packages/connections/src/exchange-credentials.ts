import { vaultOfKind } from '@keyferry/vaults';
import { createContext, type PoolOptions } from './context.ts';
import { resolveSettings, type SettingsOwner } from './settings.ts';

type Members = Record<string, unknown>;

/**
 * The `auth` of settings as it is to be stored: what can be used only once is exchanged for what lasts, which calls the
 * vault as a connection would and spends it. All else comes back as it was given, references among it.
 *
 * Rejects as `resolveSettings` does, with a vault's failure, or with the signal's reason.
 */
export async function exchangeCredentials(
  options: PoolOptions,
  kind: string,
  settings: Members,
  owner: SettingsOwner,
  signal: AbortSignal,
): Promise<Members> {
  const { config, connection } = await resolveSettings(kind, settings, owner, options);
  const { quotas, exchange } = vaultOfKind(options.registry, kind);
  const context = createContext(options, { backendId: null, quotas, connection, statistics: {} });
  // What a document holds could not be replaced there: what can be used once is refused when it is used.
  const exchanged = connection.credentials_path === undefined ? await exchange?.(config, context, signal) : {};
  const members = Object.entries({ ...(settings.auth as Members | undefined), ...exchanged });
  return Object.fromEntries(members.filter(([, value]) => value !== null));
}
