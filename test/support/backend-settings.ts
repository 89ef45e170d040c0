import type { BackendSettings } from '@keyferry/store';

/** Settings of a backend for an emulator's mount `secret`, with the product's defaults. */
export function settingsFor(
  vault: { url: string; rootToken: string },
  changes: Partial<BackendSettings> & { name: string },
): BackendSettings {
  return {
    kind: 'hashicorp',
    config: { address: vault.url, mount: 'secret' },
    auth: { method: 'token', token: vault.rootToken },
    prefix: 'bifrost',
    sync_paths: ['bifrost/*'],
    exclude_paths: [],
    path_mapping: [],
    sync_interval_seconds: 300,
    auto_deprecate: true,
    backup_deprecated_keys: true,
    grace_period_seconds: 24 * 3600,
    retain_archived_seconds: 90 * 24 * 3600,
    conflict_policy: 'backend_wins',
    max_versions: 10,
    version_history: false,
    credential_paths: [],
    state: 'active',
    ...changes,
  };
}
