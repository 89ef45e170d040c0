import { KeyferryError, type KeyState, type LossCause } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import type { Backend } from './backends.ts';
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

/** Keys that a hold lists, by local path, and why they would go. */
export async function heldKeys(
  tx: Tx,
  holdId: string,
  limit: number,
): Promise<{ path: string; cause: LossCause | 'removal' }[]> {
  return await tx
    .selectFrom('hold_keys as h')
    .innerJoin('keys as k', 'k.id', 'h.key_id')
    .select(['k.local_path as path', 'h.cause'])
    .where('h.hold_id', '=', holdId)
    .orderBy('k.local_path')
    .limit(limit)
    .execute();
}

/**
 * A person's word: exactly the keys this hold lists may go in the next cycle, if everything is proven again. One that was
 * rejected may be approved after all: then its keys are no longer kept. Throws `hold_not_found` or `hold_over`.
 */
export async function approveHold(tx: Tx, id: string, by: string, now: Date): Promise<Hold> {
  const hold = await decideHold(tx, id, { from: ['open', 'rejected'], to: 'approved', by, now });
  await keepHeld(tx, id, false);
  return hold;
}

/**
 * A person's word: the keys this hold lists stay, though the vault lacks them or the settings leave them out, until they are
 * found again. Returns the hold and those keys. Throws `hold_not_found` or `hold_over`.
 */
export async function rejectHold(
  tx: Tx,
  id: string,
  by: string,
  now: Date,
): Promise<{ hold: Hold; kept: { id: string; state: KeyState }[] }> {
  const hold = await decideHold(tx, id, { from: ['open'], to: 'rejected', by, now });
  return { hold, kept: await keepHeld(tx, id, true) };
}

async function decideHold(
  tx: Tx,
  id: string,
  decision: { from: Hold['state'][]; to: 'approved' | 'rejected'; by: string; now: Date },
): Promise<Hold> {
  const decided = await tx
    .updateTable('holds')
    .set({ state: decision.to, decided_at: decision.now, decided_by: decision.by, updated_at: decision.now })
    .where('id', '=', id)
    .where('state', 'in', decision.from)
    .returningAll()
    .executeTakeFirst();
  if (decided) return decided;
  const hold = await getHold(tx, id);
  throw new KeyferryError('hold_over', `The hold ${id} is ${hold.state} already.`);
}

/** Keys that are to have another name are left alone: they keep the one they have until the path mapping changes again. */
async function keepHeld(tx: Tx, holdId: string, kept: boolean): Promise<{ id: string; state: KeyState }[]> {
  const { rows } = await sql<{ id: string; state: KeyState }>`
    UPDATE keys k SET kept = ${kept} FROM hold_keys h
    WHERE h.hold_id = ${holdId} AND h.cause IN ('absent', 'out_of_scope') AND k.id = h.key_id AND k.kept <> ${kept}
    RETURNING k.id, k.state`.execute(tx);
  return rows;
}

/** Whether a hold lists keys for this cause. */
export async function listsCause(tx: Tx, holdId: string, cause: LossCause): Promise<boolean> {
  const row = await tx
    .selectFrom('hold_keys')
    .select('key_id')
    .where('hold_id', '=', holdId)
    .where('cause', '=', cause)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Opens a hold that lists all live keys of a backend that a person wants to remove, or lists them anew. */
export async function holdRemoval(
  tx: Tx,
  backend: Pick<Backend, 'id' | 'tenant_id'>,
  now: Date,
): Promise<{ hold: Hold; opened: boolean }> {
  const { rows } = await sql<{ id: string; opened: boolean }>`
    INSERT INTO holds (tenant_id, backend_id, kind, candidates, keys, opened_at, updated_at)
    VALUES (${backend.tenant_id}, ${backend.id}, 'removal', 0, 0, ${now}, ${now})
    ON CONFLICT (backend_id, kind) WHERE state = 'open' DO UPDATE SET updated_at = EXCLUDED.updated_at
    RETURNING id, xmax = 0 AS opened`.execute(tx);
  const { id, opened } = rows[0] as { id: string; opened: boolean };
  await tx.deleteFrom('hold_keys').where('hold_id', '=', id).execute();
  const { numAffectedRows } = await sql`
    INSERT INTO hold_keys (hold_id, key_id, tenant_id, cause)
    SELECT ${id}, id, tenant_id, 'removal' FROM keys
    WHERE backend_id = ${backend.id} AND state IN ('active', 'deprecated')`.execute(tx);
  const count = Number(numAffectedRows ?? 0);
  const hold = await tx
    .updateTable('holds')
    .set({ candidates: count, keys: count })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return { hold, opened };
}

/** How many of a removed backend's keys went at this moment that its hold doesn't list. */
export async function unlistedKeys(tx: Tx, hold: Pick<Hold, 'id' | 'backend_id'>, now: Date): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*) AS count FROM keys k
    WHERE k.backend_id = ${hold.backend_id} AND k.state = 'archived' AND k.state_changed_at = ${now}
      AND NOT EXISTS (SELECT FROM hold_keys h WHERE h.hold_id = ${hold.id} AND h.key_id = k.id)`.execute(tx);
  return rows[0]?.count ?? 0;
}
