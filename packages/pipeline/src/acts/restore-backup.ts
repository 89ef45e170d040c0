import { KeyferryError, parseLifecycle } from '@keyferry/core';
import {
  appendEvents,
  audit,
  backendsById,
  getBackup,
  keyEvents,
  lockValueKey,
  moveKeys,
  noteRestored,
  unknownBackup,
  type ValueKey,
} from '@keyferry/store';
import type { Services } from '../services.ts';
import { backendOf, serveEarlier } from './earlier-value.ts';

export interface Restored {
  keyId: string;
  path: string;
  /** The version that is served now. */
  version: number;
  /** Whether the value had changed since the backup, so that it is a new version. */
  newVersion: boolean;
}

/**
 * Brings the key of a backup back, with the value it had then. It is kept, though the vault lacks it, until it is found again.
 * Throws `backup_not_found`, also where whoever asks may not do it for the key's path, `restore_taken` if the key is active,
 * `key_revoked` or `key_expired`.
 */
export async function restoreBackup(
  services: Pick<Services, 'store' | 'keyring' | 'now'>,
  request: {
    tenantId: string;
    backupId: string;
    may: (localPath: string) => boolean;
    reason: string | null;
    by: string;
  },
): Promise<Restored> {
  const { tenantId, backupId, may, reason, by } = request;
  const now = services.now();
  const keys = await services.keyring.ofTenant(tenantId);
  return await services.store.inTenant(tenantId, async (tx) => {
    const backup = await getBackup(tx, backupId);
    const key = await lockValueKey(tx, backup.key_id);
    // The key may have another path by now, at which the value would be served.
    if (!may(key?.localPath ?? backup.local_path)) throw unknownBackup(backupId);
    if (!key) throw new KeyferryError('backup_not_found', `The key of the backup ${backupId} was purged.`);
    refuseUnfit(key, now);
    const backend = backendOf(await backendsById(tx, [key.backendId]), key);
    if (backend.state === 'removed')
      throw new KeyferryError(
        'backend_not_found',
        `The backend of "${key.localPath}" was removed: nothing would be kept up to date.`,
      );
    const lifecycle = parseLifecycle(backend);
    const value = { ...backup, source: 'backup', remote_version: null, remote_created_at: null } as const;
    const changed = await serveEarlier(tx, key, value, { backend, lifecycle, keys, now });
    const restored = changed ?? key;
    await moveKeys(tx, tenantId, [restored], () => lifecycle, {
      event: 'restored',
      change: 'restored',
      set: { kept: true },
      cause: { cycleId: null, actor: by, reason },
      now,
    });
    await noteRestored(tx, backupId, by, now);
    const details = { backup_id: backupId, key_id: key.id, version: restored.version, reason };
    await audit(tx, tenantId, { actor: by, action: 'backup.restored', target: key.localPath, details }, now);
    await appendEvents(tx, backend.id, keyEvents('keys.restored', backend, null, [key.localPath], { actor: by }), now);
    return { keyId: key.id, path: key.localPath, version: restored.version, newVersion: changed !== null };
  });
}

function refuseUnfit({ localPath, state, revoked, expiresAt }: ValueKey, now: Date): void {
  if (revoked) throw new KeyferryError('key_revoked', `"${localPath}" is revoked.`);
  if (state === 'active') throw new KeyferryError('restore_taken', `"${localPath}" is active: the vault has it again.`);
  if (state === 'expired' || (expiresAt !== null && expiresAt <= now))
    throw new KeyferryError('key_expired', `"${localPath}" is expired: its value would not be served.`);
}
