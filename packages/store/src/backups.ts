import { KeyferryError } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import type { Tx } from './database.ts';
import type { Database } from './schema.ts';

/** Values that were kept aside when their keys were deprecated. They go when their keys are purged. */

const shown = [
  'id',
  'backend_id',
  'key_id',
  'version',
  'local_path',
  'remote_path',
  'type',
  'content_type',
  'reason',
  'created_at',
  'restored_at',
  'restored_by',
] as const;

export type Backup = Pick<Selectable<Database['backups']>, (typeof shown)[number]>;

/** Backups without their values, the newest first, after a place if one is given. */
export async function listBackups(
  tx: Tx,
  filter: { backendId?: string; path?: string; after?: { created_at: Date; id: string }; limit: number },
): Promise<Backup[]> {
  const { backendId, path, after, limit } = filter;
  let query = tx.selectFrom('backups').select(shown).orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit);
  if (backendId) query = query.where('backend_id', '=', backendId);
  if (path !== undefined) query = query.where('local_path', '=', path);
  if (after) query = query.where(sql<boolean>`(created_at, id) < (${after.created_at}, ${after.id}::uuid)`);
  return await query.execute();
}

/** By id, with its value as it is stored. Throws `backup_not_found`. */
export async function getBackup(tx: Tx, id: string): Promise<Selectable<Database['backups']>> {
  const backup = await tx.selectFrom('backups').selectAll().where('id', '=', id).executeTakeFirst();
  if (!backup) throw unknownBackup(id);
  return backup;
}

export const unknownBackup = (id: string): KeyferryError =>
  new KeyferryError('backup_not_found', `There is no backup ${id}.`);

export async function noteRestored(tx: Tx, id: string, by: string, now: Date): Promise<void> {
  await tx.updateTable('backups').set({ restored_at: now, restored_by: by }).where('id', '=', id).execute();
}
