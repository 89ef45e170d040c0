import { type Lifecycle, statesLeftBy } from '@keyferry/core';
import { sql } from 'kysely';
import { type Backend, shownBackend } from './backends.ts';
import type { Tx } from './database.ts';
import { type LockedKey, movableColumns, selectLocked } from './move-keys.ts';

/** What is due by time, found by an index for each kind, a backend at a time. */

export const dueKinds = ['expiry', 'archive', 'purge', 'archive_reminder', 'expiry_reminder', 'rotation'] as const;
export type DueKind = (typeof dueKinds)[number];

/** Whether a key `k` of the backend `b` is due; the indexes of the table keys are made for these. */
const conditions: Record<DueKind, (now: Date) => ReturnType<typeof sql<boolean>>> = {
  expiry: (now) =>
    sql`keys.expires_at <= ${now} AND keys.state = ANY(${statesLeftBy('expiryPassed')}) AND NOT keys.revoked`,
  // A full cycle that began after the key was deprecated has to have lacked it too, and none to have failed since: while a
  // vault can't be read, or after it showed the key again, the key goes on being served.
  archive: (now) => sql`keys.archive_at <= ${now} AND b.times_current AND b.failed_cycles = 0
    AND b.last_full_opened_at > greatest(keys.last_seen_at, keys.deprecated_at)`,
  // What was revoked stays, so that it can't come back, and so does what was deleted here while the vault may have it.
  purge: (now) => sql`keys.purge_at <= ${now} AND b.times_current AND NOT keys.revoked
    AND (NOT keys.tombstone OR keys.remote_digest = '' OR b.state = 'removed')`,
  archive_reminder: (now) => sql`keys.archive_reminder_at <= ${now} AND b.times_current`,
  expiry_reminder: (now) => sql`keys.expiry_reminder_at <= ${now} AND b.times_current`,
  rotation: (now) => sql`keys.rotation_due_at <= ${now} AND NOT keys.rotation_told AND b.times_current`,
};

/** The columns that say since when, each the second of its index. */
const dueSince: Record<DueKind, ReturnType<typeof sql>> = {
  expiry: sql`keys.expires_at`,
  archive: sql`keys.archive_at`,
  purge: sql`keys.purge_at`,
  archive_reminder: sql`keys.archive_reminder_at`,
  expiry_reminder: sql`keys.expiry_reminder_at`,
  rotation: sql`keys.rotation_due_at`,
};

/** The backends that have something due, removed ones too, and of which kinds. */
export async function backendsWithDueKeys(tx: Tx, now: Date): Promise<{ backend: Backend; due: DueKind[] }[]> {
  const due = sql.join(
    dueKinds.map((kind) => {
      // Asked for the one that is due the longest, which its index has first: of a table that it has not counted yet,
      // Postgres may take many to be due, and would rather read it until it comes upon one.
      const longest = sql`(SELECT true FROM keys WHERE keys.backend_id = b.id AND ${conditions[kind](now)}
        ORDER BY ${dueSince[kind]} LIMIT 1)`;
      return sql`CASE WHEN ${longest} THEN ${sql.lit(kind)} END`;
    }),
  );
  const rows = await tx
    .selectFrom('backends as b')
    .select(shownBackend)
    .select(sql<DueKind[]>`array_remove(ARRAY[${due}]::text[], NULL)`.as('due'))
    .orderBy('b.id')
    .execute();
  return rows.filter((row) => row.due.length > 0).map(({ due, ...backend }) => ({ backend, due }));
}

export interface DueKey {
  id: string;
  remoteHash: Buffer;
}

/**
 * Some of a backend's keys that are due, those that are it the longest first. None, if the backend's settings are others than
 * those given: what is done to the keys goes by these.
 */
export async function findDueKeys(
  tx: Tx,
  backend: Pick<Backend, 'id' | 'updated_at'>,
  kind: DueKind,
  now: Date,
  limit: number,
): Promise<DueKey[]> {
  const { rows } = await sql<DueKey>`
    SELECT keys.id, keys.remote_hash AS "remoteHash" FROM keys JOIN backends b ON b.id = keys.backend_id
    WHERE keys.backend_id = ${backend.id} AND b.updated_at = ${backend.updated_at} AND ${conditions[kind](now)}
    ORDER BY ${dueSince[kind]} LIMIT ${limit}`.execute(tx);
  return rows;
}

/** Those of a backend's found keys that are still due by these settings, locked; those that somebody else holds are left. */
export async function lockDueKeys(
  tx: Tx,
  backend: Pick<Backend, 'id' | 'updated_at'>,
  found: readonly DueKey[],
  kind: DueKind,
  now: Date,
): Promise<LockedKey[]> {
  const ids = found.toSorted((one, other) => Buffer.compare(one.remoteHash, other.remoteHash)).map(({ id }) => id);
  // Looked up one by one by their ids, in the order of all batches, and looked at once they are locked: with a condition
  // beside the ids Postgres may rather go through all that are due, for each batch.
  return await tx
    .selectFrom(sql<{ id: string }>`unnest(${ids}::uuid[])`.as<'found'>(sql`found (id)`))
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('keys')
          .selectAll()
          .whereRef('keys.id', '=', 'found.id')
          .limit(1)
          .forUpdate()
          .skipLocked()
          .as('keys'),
      (join) => join.onTrue(),
    )
    .innerJoin('backends as b', (join) => join.on('b.id', '=', backend.id))
    .where('b.updated_at', '=', backend.updated_at)
    .where(conditions[kind](now))
    .select(movableColumns)
    .execute();
}

/** Writes when what is due for locked keys, as their lifecycle says now. Leaves alone what is so already. */
export async function reckonKeys(tx: Tx, keys: readonly LockedKey[], lifecycle: Lifecycle, now: Date): Promise<void> {
  if (keys.length === 0) return;
  const reckoned = keys.map((key) => ({ id: key.id, valueAt: key.valueAt, ...lifecycle.timesOf(key, now) }));
  const column = <T>(pick: (key: (typeof reckoned)[number]) => T) => reckoned.map(pick);
  await sql`
    UPDATE keys k SET archive_at = w.archive_at, purge_at = w.purge_at, archive_reminder_at = w.archive_reminder_at,
      expiry_reminder_at = w.expiry_reminder_at, rotation_due_at = w.rotation_due_at, value_at = w.value_at,
      rotation_told = k.rotation_told AND w.rotation_due_at IS NOT DISTINCT FROM k.rotation_due_at,
      row_version = k.row_version + 1
    FROM unnest(${column((k) => k.id)}::uuid[], ${column((k) => k.archiveAt)}::timestamptz[],
      ${column((k) => k.purgeAt)}::timestamptz[], ${column((k) => k.archiveReminderAt)}::timestamptz[],
      ${column((k) => k.expiryReminderAt)}::timestamptz[], ${column((k) => k.rotationDueAt)}::timestamptz[],
      ${column((k) => k.valueAt)}::timestamptz[])
      AS w (id, archive_at, purge_at, archive_reminder_at, expiry_reminder_at, rotation_due_at, value_at)
    WHERE k.id = w.id AND (k.archive_at, k.purge_at, k.archive_reminder_at, k.expiry_reminder_at, k.rotation_due_at, k.value_at)
      IS DISTINCT FROM (w.archive_at, w.purge_at, w.archive_reminder_at, w.expiry_reminder_at, w.rotation_due_at, w.value_at)
  `.execute(tx);
}

export async function noteOverdueTold(tx: Tx, keyIds: readonly string[]): Promise<void> {
  await sql`UPDATE keys SET rotation_told = true WHERE id = ANY(${keyIds}::uuid[])`.execute(tx);
}

/**
 * Backends whose settings have changed since the times of their keys were reckoned. While a cycle from before is open it may
 * still write times of the former settings: then it is waited for.
 */
export async function backendsToReckon(tx: Tx): Promise<Backend[]> {
  return await tx
    .selectFrom('backends as b')
    .select(shownBackend)
    .where('b.times_current', '=', false)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('cycles as c')
            .select('c.id')
            .whereRef('c.backend_id', '=', 'b.id')
            .where('c.state', '=', 'open')
            .whereRef('c.opened_at', '<=', 'b.updated_at'),
        ),
      ),
    )
    .orderBy('b.id')
    .execute();
}

/**
 * A page of a backend's keys whose times may depend on its settings, after a hash, locked; `all` where a rule says how often
 * values are to be rotated.
 */
export async function keysToReckon(
  tx: Tx,
  backendId: string,
  page: { after: Buffer; all: boolean; limit: number },
): Promise<(LockedKey & { remoteHash: Buffer })[]> {
  let query = selectLocked(tx)
    .select('keys.remote_hash as remoteHash')
    .where('keys.backend_id', '=', backendId)
    .where('keys.remote_hash', '>', page.after)
    .limit(page.limit);
  if (!page.all)
    query = query.where((eb) =>
      eb.or([
        eb('keys.state', '<>', 'active'),
        eb('keys.expires_at', 'is not', null),
        eb('keys.rotation_due_at', 'is not', null),
      ]),
    );
  return await query.execute();
}

/** The times of a backend's keys are to be reckoned anew, by whoever sweeps next. */
export async function outdateTimes(tx: Tx, backendId: string, now: Date): Promise<void> {
  await tx.updateTable('backends').set({ times_current: false, updated_at: now }).where('id', '=', backendId).execute();
}

/** Notes that all times are as the settings say, if they are still those that were reckoned by. */
export async function noteReckoned(tx: Tx, backend: Pick<Backend, 'id' | 'updated_at'>): Promise<void> {
  await tx
    .updateTable('backends')
    .set({ times_current: true })
    .where('id', '=', backend.id)
    .where('updated_at', '=', backend.updated_at)
    .execute();
}
