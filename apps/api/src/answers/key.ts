import type { KeyAnswer } from '@keyferry/contracts';
import type { Key } from '@keyferry/store';
import type { BackendNames } from './backend-names.ts';

export function showKey(key: Key, nameOf: BackendNames): KeyAnswer {
  return {
    id: key.id,
    path: key.local_path,
    remote_path: key.remote_path,
    backend_id: key.backend_id,
    backend: nameOf(key.backend_id),
    type: key.type,
    state: key.state,
    revoked: key.revoked,
    version: key.version,
    content_type: key.content_type,
    metadata: key.metadata,
    remote_version: key.remote_version,
    expires_at: shownTime(key.expires_at),
    deprecated_at: shownTime(key.deprecated_at),
    archive_at: shownTime(key.archive_at),
    purge_at: shownTime(key.purge_at),
    rotation_due_at: shownTime(key.rotation_due_at),
    missing_since: shownTime(key.missing_since),
    kept: key.kept,
    rolled_back: key.rolled_back,
    validation: {
      status: key.rejected === null ? 'valid' : key.rejected ? 'invalid' : 'warned',
      problems: key.problems ?? [],
      since: shownTime(key.problems_since),
    },
    state_changed_at: key.state_changed_at.toISOString(),
    last_seen_at: key.last_seen_at.toISOString(),
    created_at: key.created_at.toISOString(),
    updated_at: key.updated_at.toISOString(),
  };
}

export const shownTime = (time: Date | null): string | null => time?.toISOString() ?? null;
