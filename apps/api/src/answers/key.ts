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
    expires_at: key.expires_at?.toISOString() ?? null,
    deprecated_at: key.deprecated_at?.toISOString() ?? null,
    state_changed_at: key.state_changed_at.toISOString(),
    last_seen_at: key.last_seen_at.toISOString(),
    created_at: key.created_at.toISOString(),
    updated_at: key.updated_at.toISOString(),
  };
}
