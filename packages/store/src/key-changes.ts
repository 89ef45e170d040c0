import type { CycleTrigger, KeyChange, KeyState } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import type { Tx } from './database.ts';
import type { Database } from './schema.ts';

/** What happened to one key, for its story. */
export interface NewKeyChange {
  keyId: string;
  change: KeyChange;
  from: KeyState;
  to: KeyState | null;
  /** The version that is served after it. */
  version?: number | null;
}

/** What did it: a cycle, a person, or, where both are null, time. */
export interface Cause {
  cycleId: string | null;
  actor: string | null;
  reason: string | null;
}

export const byTime: Cause = { cycleId: null, actor: null, reason: null };
export const byCycle = (cycleId: string): Cause => ({ cycleId, actor: null, reason: null });

export type StoredKeyChange = Selectable<Database['key_changes']>;

/** Writes what happened, in the transaction that did it: one statement, however many keys. */
export async function noteKeyChanges(
  tx: Tx,
  tenantId: string,
  cause: Cause,
  changes: readonly NewKeyChange[],
  now: Date,
): Promise<void> {
  if (changes.length === 0) return;
  const column = <T>(pick: (change: NewKeyChange) => T) => changes.map(pick);
  await sql`
    INSERT INTO key_changes (tenant_id, key_id, at, change, from_state, to_state, version, cycle_id, actor, reason)
    SELECT ${tenantId}, c.key_id, ${now}, c.change, c.from_state, c.to_state, c.version,
      ${cause.cycleId}::uuid, ${cause.actor}::text, ${cause.reason}::text
    FROM unnest(${column((c) => c.keyId)}::uuid[], ${column((c) => c.change)}::text[], ${column((c) => c.from)}::text[],
      ${column((c) => c.to)}::text[], ${column((c) => c.version ?? null)}::integer[])
      AS c (key_id, change, from_state, to_state, version)`.execute(tx);
}

/** A key's story, the newest first. */
export async function listKeyChanges(tx: Tx, keyId: string, limit: number): Promise<StoredKeyChange[]> {
  return await tx
    .selectFrom('key_changes')
    .selectAll()
    .where('key_id', '=', keyId)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

/** What made cycles open, of those that are still kept. */
export async function cycleTriggers(tx: Tx, cycleIds: readonly string[]): Promise<Map<string, CycleTrigger>> {
  const rows = await tx
    .selectFrom('cycles')
    .select(['id', 'trigger'])
    .where('id', '=', sql<string>`ANY(${cycleIds}::uuid[])`)
    .execute();
  return new Map(rows.map(({ id, trigger }) => [id, trigger]));
}
