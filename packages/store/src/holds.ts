import { KeyferryError } from '@keyferry/core';
import type { Selectable } from 'kysely';
import type { Tx } from './database.ts';
import type { Database } from './schema.ts';

export type Hold = Selectable<Database['holds']>;

/** Holds, newest first; those that wait for a person by default. */
export async function listHolds(
  tx: Tx,
  filter: { state?: Hold['state']; backendId?: string; limit: number },
): Promise<Hold[]> {
  let query = tx
    .selectFrom('holds')
    .selectAll()
    .where('state', '=', filter.state ?? 'open')
    .orderBy('opened_at', 'desc')
    .limit(filter.limit);
  if (filter.backendId) query = query.where('backend_id', '=', filter.backendId);
  return await query.execute();
}

/** By id. Throws `hold_not_found`. */
export async function getHold(tx: Tx, id: string): Promise<Hold> {
  const hold = await tx.selectFrom('holds').selectAll().where('id', '=', id).executeTakeFirst();
  if (!hold) throw new KeyferryError('hold_not_found', `There is no hold ${id}.`);
  return hold;
}

/** Local paths that a hold lists, in order. */
export async function heldPaths(tx: Tx, holdId: string, limit: number): Promise<string[]> {
  const rows = await tx
    .selectFrom('hold_keys as h')
    .innerJoin('keys as k', 'k.id', 'h.key_id')
    .select('k.local_path')
    .where('h.hold_id', '=', holdId)
    .orderBy('k.local_path')
    .limit(limit)
    .execute();
  return rows.map((row) => row.local_path);
}

/**
 * A person's word: exactly the keys this hold lists may go in the next cycle, if everything is proven again.
 * Throws `hold_not_found` or `hold_over`.
 */
export async function approveHold(tx: Tx, id: string, by: string, now: Date): Promise<Hold> {
  const approved = await tx
    .updateTable('holds')
    .set({ state: 'approved', decided_at: now, decided_by: by, updated_at: now })
    .where('id', '=', id)
    .where('state', '=', 'open')
    .returningAll()
    .executeTakeFirst();
  if (approved) return approved;
  const hold = await getHold(tx, id);
  throw new KeyferryError('hold_over', `The hold ${id} is ${hold.state} already.`);
}
