import type { BackupAnswer } from '@keyferry/contracts';
import type { Backup } from '@keyferry/store';
import type { BackendNames } from './backend-names.ts';
import { shownTime } from './key.ts';

export function showBackup(backup: Backup, nameOf: BackendNames): BackupAnswer {
  return {
    id: backup.id,
    key_id: backup.key_id,
    path: backup.local_path,
    remote_path: backup.remote_path,
    backend_id: backup.backend_id,
    backend: nameOf(backup.backend_id),
    version: backup.version,
    type: backup.type,
    content_type: backup.content_type,
    reason: backup.reason,
    created_at: backup.created_at.toISOString(),
    restored_at: shownTime(backup.restored_at),
    restored_by: backup.restored_by,
  };
}
