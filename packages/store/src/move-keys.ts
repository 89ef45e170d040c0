import { type KeyChange, type KeyEvent, type KeyState, type Lifecycle, nextState, type TimedKey } from '@keyferry/core';
import { type ExpressionBuilder, sql } from 'kysely';
import type { Tx } from './database.ts';
import { type Cause, noteKeyChanges } from './key-changes.ts';
import type { Database } from './schema.ts';

/** Every change of state that isn't a cycle's writing of values: keys are locked, decided on, and written at once. */

export interface LockedKey extends TimedKey {
  id: string;
  backendId: string;
  remotePath: string;
  version: number;
  /** By a person's word, though the vault lacks it or the settings leave it out. */
  kept: boolean;
}

/** Keys from before it was noted have none: what comes nearest. */
export const valueAt = sql<Date>`coalesce(keys.value_at, keys.remote_created_at, keys.created_at)`;

export const movableColumns = (eb: ExpressionBuilder<Database, 'keys'>) =>
  [
    eb.ref('keys.id').as('id'),
    eb.ref('keys.backend_id').as('backendId'),
    eb.ref('keys.remote_path').as('remotePath'),
    eb.ref('keys.local_path').as('localPath'),
    eb.ref('keys.version').as('version'),
    eb.ref('keys.kept').as('kept'),
    eb.ref('keys.state').as('state'),
    eb.ref('keys.revoked').as('revoked'),
    eb.ref('keys.state_changed_at').as('stateChangedAt'),
    eb.ref('keys.deprecated_at').as('deprecatedAt'),
    eb.ref('keys.expires_at').as('expiresAt'),
    eb.ref('keys.archive_reminder_at').as('archiveReminderAt'),
    eb.ref('keys.expiry_reminder_at').as('expiryReminderAt'),
    valueAt.as('valueAt'),
  ] as const;

/** Keys to be locked in the one order of all batches, so that two can't deadlock; add what they have to fulfil. */
export function selectLocked(tx: Tx) {
  return tx.selectFrom('keys').select(movableColumns).orderBy('keys.remote_hash').forUpdate('keys');
}

/** The keys of these ids that are in one of these states, locked. */
export async function lockKeys(tx: Tx, ids: readonly string[], states: readonly KeyState[]): Promise<LockedKey[]> {
  if (ids.length === 0) return [];
  return await selectLocked(tx)
    .where('keys.id', '=', sql<string>`ANY(${ids}::uuid[])`)
    .where('keys.state', 'in', states)
    .execute();
}

export interface Move {
  /** Null where its state stays. */
  event: KeyEvent | null;
  /** The word for it in the key's story. */
  change: KeyChange;
  /** What it sets besides; absent means as it is. */
  set?: { revoked?: boolean; deprecatedAt?: Date; deprecatedFor?: 'absent' | 'out_of_scope'; kept?: boolean };
  cause: Cause;
  now: Date;
}

/** Moves locked keys along an edge of the lifecycle, reckons what is due for them next, and notes why. */
export async function moveKeys(
  tx: Tx,
  tenantId: string,
  keys: readonly LockedKey[],
  lifecycleOf: (backendId: string) => Lifecycle,
  { event, change, set = {}, cause, now }: Move,
): Promise<void> {
  if (keys.length === 0) return;
  const moved = keys.map((key) => {
    const state = stateAfter(key, event);
    const after: TimedKey = {
      ...key,
      state,
      revoked: set.revoked ?? key.revoked,
      stateChangedAt: state === key.state ? key.stateChangedAt : now,
      deprecatedAt: state === 'active' ? null : (set.deprecatedAt ?? key.deprecatedAt),
    };
    const { id, version } = key;
    return { id, version, before: key.state, ...after, ...lifecycleOf(key.backendId).timesOf(after, now) };
  });
  const column = <T>(pick: (key: (typeof moved)[number]) => T) => moved.map(pick);
  await sql`
    UPDATE keys k SET state = w.state, state_changed_at = w.state_changed_at, deprecated_at = w.deprecated_at,
      archive_at = w.archive_at, purge_at = w.purge_at, archive_reminder_at = w.archive_reminder_at,
      expiry_reminder_at = w.expiry_reminder_at, rotation_due_at = w.rotation_due_at,
      revoked = coalesce(${set.revoked ?? null}::boolean, k.revoked), kept = coalesce(${set.kept ?? null}::boolean, k.kept),
      deprecated_for = CASE WHEN w.state = 'active' THEN NULL
        ELSE coalesce(${set.deprecatedFor ?? null}::text, k.deprecated_for) END,
      hold_id = CASE WHEN w.state = 'active' THEN NULL ELSE k.hold_id END, tombstone = k.tombstone AND w.state = 'archived',
      missing_since = CASE WHEN w.state = k.state THEN k.missing_since END,
      row_version = k.row_version + 1, updated_at = ${now}
    FROM unnest(${column((k) => k.id)}::uuid[], ${column((k) => k.state)}::text[],
      ${column((k) => k.stateChangedAt)}::timestamptz[], ${column((k) => k.deprecatedAt)}::timestamptz[],
      ${column((k) => k.archiveAt)}::timestamptz[], ${column((k) => k.purgeAt)}::timestamptz[],
      ${column((k) => k.archiveReminderAt)}::timestamptz[], ${column((k) => k.expiryReminderAt)}::timestamptz[],
      ${column((k) => k.rotationDueAt)}::timestamptz[])
      AS w (id, state, state_changed_at, deprecated_at, archive_at, purge_at, archive_reminder_at, expiry_reminder_at,
        rotation_due_at)
    WHERE k.id = w.id`.execute(tx);
  const changes = moved.map(({ id, before, state, version }) => ({
    keyId: id,
    change,
    from: before,
    to: state,
    version,
  }));
  await noteKeyChanges(tx, tenantId, cause, changes, now);
}

function stateAfter(key: LockedKey, event: KeyEvent | null): KeyState {
  if (event === null) return key.state;
  const next = nextState(key, event);
  if (next === 'purged') throw new Error('Keys are purged by their own statement.');
  return next;
}
