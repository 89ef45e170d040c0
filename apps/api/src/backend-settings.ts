import {
  askVault,
  exchangeCredentials,
  resolveSettings,
  type SettingsOwner,
  sourcesOf,
  splitSettings,
} from '@keyferry/connections';
import {
  type BackendInput,
  type BackendPatch,
  seconds,
  storedCacheRule,
  storedLifecycleRule,
} from '@keyferry/contracts';
import { KeyferryError, parseDuration } from '@keyferry/core';
import type { BackendSettings } from '@keyferry/store';
import type { ApiOptions } from './create-api.ts';

type Members = Record<string, unknown>;
type Vaults = Omit<ApiOptions, 'now'>;

/** What changes of a backend's settings, without the vault's own. */
export function changedSettings(patch: Omit<BackendPatch, 'config' | 'accept_container'>) {
  const {
    sync_interval,
    grace_period,
    retain_archived,
    rotation_overlap,
    lifecycle_rules,
    archive_reminders,
    expiry_reminders,
    cache_ttl,
    max_stale,
    cache_rules,
    ...same
  } = patch;
  return {
    ...same,
    ...(sync_interval && { sync_interval_seconds: parseDuration(sync_interval) }),
    ...(grace_period && { grace_period_seconds: parseDuration(grace_period) }),
    ...(retain_archived && { retain_archived_seconds: parseDuration(retain_archived) }),
    ...(rotation_overlap && { rotation_overlap_seconds: seconds(rotation_overlap) }),
    ...(lifecycle_rules && { lifecycle_rules: lifecycle_rules.map(storedLifecycleRule) }),
    ...(archive_reminders && { archive_reminders: archive_reminders.map(parseDuration) }),
    ...(expiry_reminders && { expiry_reminders: expiry_reminders.map(parseDuration) }),
    ...(cache_ttl && { cache_ttl_seconds: seconds(cache_ttl) }),
    ...(max_stale && { max_stale_seconds: seconds(max_stale) }),
    ...(cache_rules && { cache_rules: cache_rules.map(storedCacheRule) }),
  };
}

/** Settings of a new backend, without the vault's own. */
export function newSettings(input: Omit<BackendInput, 'config'>) {
  const { sync_interval, grace_period, retain_archived, rotation_overlap, cache_ttl, max_stale, ...same } = input;
  return {
    ...same,
    sync_interval_seconds: parseDuration(sync_interval),
    grace_period_seconds: parseDuration(grace_period),
    retain_archived_seconds: parseDuration(retain_archived),
    rotation_overlap_seconds: seconds(rotation_overlap),
    lifecycle_rules: input.lifecycle_rules.map(storedLifecycleRule),
    archive_reminders: input.archive_reminders.map(parseDuration),
    expiry_reminders: input.expiry_reminders.map(parseDuration),
    cache_ttl_seconds: seconds(cache_ttl),
    max_stale_seconds: seconds(max_stale),
    cache_rules: input.cache_rules.map(storedCacheRule),
  };
}

/**
 * A vault's own settings, checked, as they are stored: completed with defaults, and apart from them the credentials as
 * they were given, so that references in them stay references.
 *
 * Rejects with `config_invalid`, `credentials_cycle`, or `reference_*` for what can't be resolved here or isn't allowed.
 */
export async function checkedConfig(
  options: Vaults,
  kind: string,
  config: Members,
  owner: SettingsOwner,
): Promise<Pick<BackendSettings, 'config' | 'auth' | 'credential_paths'>> {
  const { config: own, connection, sources } = await resolveSettings(kind, config, owner, options);
  const { auth: _, ...complete } = own as Members;
  const auth = (config.auth ?? {}) as Members;
  return { config: { ...complete, ...connection }, auth, credential_paths: sources.keys };
}

/**
 * A vault's own settings with credentials that last in place of those that can be used once. Asks the vault for them:
 * never inside a transaction, which would hold its locks meanwhile. What is spent here is not to be had again.
 *
 * Rejects as `checkedConfig` does, or with a vault's failure.
 */
export async function withLastingCredentials(
  options: Vaults,
  backend: { name: string; kind: string },
  config: Members,
  owner: SettingsOwner,
): Promise<Members> {
  const vaults = { ...options, now: Date.now };
  const exchange = (deadline: AbortSignal) => exchangeCredentials(vaults, backend.kind, config, owner, deadline);
  return { ...config, auth: await askVault(backend.name, exchange) };
}

/** Stored settings with a change laid over them: a member replaces its namesake, null removes it. */
export function mergedConfig(stored: Members, { auth_config_path, ...rest }: Members): Members {
  // Stored under one name, whichever it was given by.
  const change = auth_config_path === undefined ? rest : { credentials_path: auth_config_path, ...rest };
  return Object.fromEntries(Object.entries({ ...stored, ...change }).filter(([, value]) => value !== null));
}

/** What a change of a vault's own settings says of its credentials; what it says of anything else sends none elsewhere. */
const credentialMembers = ['auth', 'credentials_path', 'auth_config_path'] as const;

/**
 * Refuses settings whose credentials are in keys that whoever gives them may not read: they might have any key of the tenant
 * sent to an address of theirs. Throws `forbidden`, whether or not there is such a key, or `reference_invalid`.
 */
export function refuseForeignKeys(requireRead: (path: string) => void, config: Members): void {
  const { connection, own } = splitSettings(config);
  for (const path of sourcesOf(connection.credentials_path, own.auth).keys) requireRead(path.normalize('NFC'));
}

/** Whether a change decides on which credentials are sent, or where to. */
export const concernsCredentials = (destination: readonly string[], change: Members): boolean =>
  [...credentialMembers, ...destination].some((name) => name in change);

/**
 * Refuses to send stored credentials elsewhere: whoever changes where a vault is has to know its credentials. Otherwise
 * anyone who may change a backend could have them delivered to an address of theirs.
 */
export function refuseRedirection(destination: readonly string[], stored: Members, change: Members): void {
  const keptElsewhere = stored.credentials_path !== undefined;
  const brings = 'auth' in change && (!keptElsewhere || 'credentials_path' in change || 'auth_config_path' in change);
  if (brings) return;
  const differs = (name: string) => JSON.stringify(change[name] ?? null) !== JSON.stringify(stored[name] ?? null);
  const changed = destination.find((name) => name in change && differs(name));
  if (changed)
    throw new KeyferryError(
      'config_invalid',
      `config.${changed} decides where credentials are sent, and can be changed only together with config.auth${keptElsewhere ? ' and config.credentials_path' : ''}.`,
    );
}
