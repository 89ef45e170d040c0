import type { ConflictAnswer } from '@keyferry/contracts';
import type { Backend, ListedConflict } from '@keyferry/store';

/** A conflict as the API shows it: both sides, and never a value. */
export function showConflict(conflict: ListedConflict, backend: Pick<Backend, 'name'>): ConflictAnswer {
  const { path, remote_path, kind, resolution, resolved_by } = conflict;
  return {
    path,
    remote_path,
    backend: backend.name,
    kind,
    local: {
      version: String(conflict.version),
      at: conflict.made_at?.toISOString() ?? null,
      metadata: conflict.metadata ?? {},
      source: conflict.source ?? 'vault',
      deleted: conflict.deleted,
    },
    remote: {
      version: conflict.remote_version,
      at: conflict.remote_created_at?.toISOString() ?? null,
      metadata: conflict.remote_metadata,
    },
    detected_at: conflict.detected_at.toISOString(),
    resolution,
    resolved_by,
  };
}
