import { type BackendAnswer, shownCacheRule, shownLifecycleRule } from '@keyferry/contracts';
import { formatDuration } from '@keyferry/core';
import type { Backend } from '@keyferry/store';

export function showBackend(backend: Backend): BackendAnswer {
  return {
    id: backend.id,
    name: backend.name,
    kind: backend.kind,
    mode: backend.mode,
    access_mode: backend.access_mode,
    writes: backend.writes,
    conflict_policy: backend.conflict_policy,
    required: backend.required,
    cache_ttl: formatDuration(backend.cache_ttl_seconds),
    max_stale: formatDuration(backend.max_stale_seconds),
    cache_rules: backend.cache_rules.map(shownCacheRule),
    state: liveState(backend),
    config: backend.config,
    prefix: backend.prefix,
    sync_paths: backend.sync_paths,
    exclude_paths: backend.exclude_paths,
    path_mapping: backend.path_mapping,
    sync_interval: formatDuration(backend.sync_interval_seconds),
    auto_deprecate: backend.auto_deprecate,
    backup_deprecated_keys: backend.backup_deprecated_keys,
    grace_period: formatDuration(backend.grace_period_seconds),
    retain_archived: formatDuration(backend.retain_archived_seconds),
    rotation_overlap: formatDuration(backend.rotation_overlap_seconds),
    lifecycle_rules: backend.lifecycle_rules.map(shownLifecycleRule),
    archive_reminders: backend.archive_reminders.map(formatDuration),
    expiry_reminders: backend.expiry_reminders.map(formatDuration),
    validation_rules: backend.validation_rules.map((rule) => ({ ...rule })),
    guard_percent: backend.guard_percent,
    guard_at_least: backend.guard_at_least,
    max_versions: backend.max_versions,
    version_history: backend.version_history,
    next_sync: nextSync(backend),
    created_at: backend.created_at.toISOString(),
    updated_at: backend.updated_at.toISOString(),
  };
}

/** Removed backends are never read from the store. */
export const liveState = (backend: Backend) => (backend.state === 'paused' ? 'paused' : 'active');

export const nextSync = (backend: Backend) => (backend.state === 'active' ? backend.next_sync_at.toISOString() : null);
