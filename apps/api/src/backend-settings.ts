import { resolveReferences, validateSettings } from '@keyferry/connections';
import type { BackendInput, BackendPatch } from '@keyferry/contracts';
import { parseDuration } from '@keyferry/core';
import type { BackendSettings } from '@keyferry/store';
import type { ApiOptions } from './create-api.ts';

type Members = Record<string, unknown>;

/** What changes of a backend's settings, without the vault's own. */
export function changedSettings({
  sync_interval,
  grace_period,
  retain_archived,
  ...same
}: Omit<BackendPatch, 'config'>) {
  return {
    ...same,
    ...(sync_interval && { sync_interval_seconds: parseDuration(sync_interval) }),
    ...(grace_period && { grace_period_seconds: parseDuration(grace_period) }),
    ...(retain_archived && { retain_archived_seconds: parseDuration(retain_archived) }),
  };
}

/** Settings of a new backend, without the vault's own. */
export function newSettings({ sync_interval, grace_period, retain_archived, ...same }: Omit<BackendInput, 'config'>) {
  return {
    ...same,
    sync_interval_seconds: parseDuration(sync_interval),
    grace_period_seconds: parseDuration(grace_period),
    retain_archived_seconds: parseDuration(retain_archived),
    conflict_policy: 'backend_wins' as const,
  };
}

/**
 * A vault's own settings, checked, as they are stored: completed with defaults, and apart from them the credentials as
 * they were given, so that references in them stay references.
 *
 * Throws `config_invalid`, or `reference_*` for a reference that can't be resolved here.
 */
export function checkedConfig(
  options: Pick<ApiOptions, 'registry' | 'environment' | 'allowedEnvironment'>,
  kind: string,
  config: Members,
): Pick<BackendSettings, 'config' | 'auth'> {
  const { auth, ...open } = config;
  const resolved = resolveReferences(auth, options.environment, options.allowedEnvironment);
  const { auth: _, ...complete } = validateSettings(options.registry, kind, { ...open, auth: resolved }) as Members;
  return { config: complete, auth: auth as Members };
}

/** Stored settings with a change laid over them: a member replaces its namesake, null removes it. */
export function mergedConfig(stored: Members, change: Members): Members {
  return Object.fromEntries(Object.entries({ ...stored, ...change }).filter(([, value]) => value !== null));
}
