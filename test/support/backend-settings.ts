import type { BackendSettings } from '@keyferry/store';

type Given = Pick<BackendSettings, 'name' | 'kind' | 'config' | 'auth'>;

/** Settings of a backend with the product's defaults. */
export function defaultSettings(given: Partial<BackendSettings> & Given): BackendSettings {
  return {
    prefix: 'bifrost',
    sync_paths: ['bifrost/*'],
    exclude_paths: [],
    path_mapping: [],
    sync_interval_seconds: 300,
    auto_deprecate: true,
    backup_deprecated_keys: true,
    grace_period_seconds: 24 * 3600,
    retain_archived_seconds: 90 * 24 * 3600,
    rotation_overlap_seconds: 0,
    lifecycle_rules: [],
    archive_reminders: [7 * 24 * 3600, 24 * 3600, 3600],
    expiry_reminders: [30 * 24 * 3600, 7 * 24 * 3600, 24 * 3600],
    validation_rules: [],
    guard_percent: 20,
    guard_at_least: 10,
    mode: 'sync',
    access_mode: 'read_only',
    writes: 'disabled',
    required: false,
    cache_ttl_seconds: 0,
    max_stale_seconds: 3600,
    cache_rules: [],
    conflict_policy: 'backend_wins',
    max_versions: 10,
    version_history: false,
    credential_paths: [],
    state: 'active',
    ...given,
  };
}

/** The same for an emulator's mount `secret`. */
export const settingsFor = (
  vault: { url: string; rootToken: string },
  changes: Partial<BackendSettings> & { name: string },
): BackendSettings =>
  defaultSettings({
    kind: 'hashicorp',
    config: { address: vault.url, mount: 'secret' },
    auth: { method: 'token', token: vault.rootToken },
    ...changes,
  });
