import { vaultOfKind } from '@keyferry/vaults';
import { createContext, type PoolOptions } from './context.ts';
import { defaultLimits } from './limits.ts';
import { resolveSettings } from './settings.ts';

type Members = Record<string, unknown>;

/**
 * The `auth` of settings as it is to be stored: what can be used only once is exchanged for what lasts, which calls the
 * vault as a connection would and spends it. All else comes back as it was given, references among it.
 *
 * Rejects as `resolveSettings` throws, with a vault's failure, or with the signal's reason.
 */
export async function exchangeCredentials(
  options: PoolOptions,
  kind: string,
  settings: Members,
  signal: AbortSignal,
): Promise<Members> {
  const config = resolveSettings(kind, settings, options);
  const context = createContext(options, { ...defaultLimits, ...options.limits }, {});
  const exchanged = await vaultOfKind(options.registry, kind).exchange?.(config, context, signal);
  const members = Object.entries({ ...(settings.auth as Members), ...exchanged });
  return Object.fromEntries(members.filter(([, value]) => value !== null));
}
