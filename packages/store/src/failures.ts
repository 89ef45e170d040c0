import { describeError, KeyferryError, type Stage, shardsAtATime } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import { addCounts } from './counts.ts';
import type { Cycle, Dispatch } from './cycles.ts';
import type { Tx } from './database.ts';
import { printable } from './printable.ts';
import type { Database } from './schema.ts';
import { releaseShards } from './shards.ts';

export type Failure = Selectable<Database['failures']>;

/** Notes that a stage or shard failed: one row for each, however often it fails. */
export async function noteFailure(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'tenant_id' | 'backend_id'>,
  place: { stage: Stage; shard: number },
  failure: { error: unknown; attempts: number; final: boolean; now: Date },
): Promise<void> {
  const { code, message, failureClass } = describeError(failure.error);
  const state = failure.final ? 'failed' : 'retrying';
  const changing = {
    state,
    class: failureClass,
    code,
    message: printable(message),
    attempts: failure.attempts,
    last_failed_at: failure.now,
  } as const;
  await tx
    .insertInto('failures')
    .values({
      ...changing,
      ...place,
      tenant_id: cycle.tenant_id,
      backend_id: cycle.backend_id,
      cycle_id: cycle.id,
      first_failed_at: failure.now,
    })
    .onConflict((conflict) => conflict.columns(['cycle_id', 'stage', 'shard']).doUpdateSet(changing))
    .execute();
}

/** The cycle has ended: nothing of it is tried again. */
export async function resolveFailures(tx: Tx, cycleId: string): Promise<void> {
  await tx
    .updateTable('failures')
    .set({ state: 'resolved' })
    .where('cycle_id', '=', cycleId)
    .where('state', '=', 'retrying')
    .execute();
}

/** Failed work, newest first: what is being tried again and what gave up. */
export async function listFailures(tx: Tx, filter: { backendId?: string; limit: number }): Promise<Failure[]> {
  let query = tx
    .selectFrom('failures')
    .selectAll()
    .where('state', 'in', ['retrying', 'failed'])
    .orderBy('last_failed_at', 'desc')
    .orderBy('id')
    .limit(filter.limit);
  if (filter.backendId) query = query.where('backend_id', '=', filter.backendId);
  return await query.execute();
}

/** Why shards of a cycle gave up, the first of them first. */
export async function shardFailures(tx: Tx, cycleId: string): Promise<Failure[]> {
  return await tx
    .selectFrom('failures as f')
    .innerJoin('shards as s', (join) => join.onRef('s.cycle_id', '=', 'f.cycle_id').onRef('s.number', '=', 'f.shard'))
    .selectAll('f')
    .where('f.cycle_id', '=', cycleId)
    .where('f.stage', '=', 'sync')
    .where('s.state', '=', 'failed')
    .orderBy('f.last_failed_at')
    .orderBy('f.shard')
    .execute();
}

/** By id. Throws `failure_not_found`. */
export async function getFailure(tx: Tx, id: string): Promise<Failure> {
  const row = await tx.selectFrom('failures').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw new KeyferryError('failure_not_found', `There is no failed work ${id}.`);
  return row;
}

/** Marks a backend's failed work as replayed. */
export async function markReplayed(tx: Tx, backendId: string): Promise<void> {
  await tx
    .updateTable('failures')
    .set({ state: 'replayed' })
    .where('backend_id', '=', backendId)
    .where('state', '=', 'failed')
    .execute();
}

/**
 * Opens a failed cycle again at its sync stage, with the shards that failed. Returns the jobs to enqueue, or null if the
 * cycle can't be resumed: it did not fail, or not in its shards.
 */
export async function resumeCycle(tx: Tx, cycle: Cycle, now: Date): Promise<Dispatch[] | null> {
  // Before the sync stage, refs have no local paths yet.
  if (cycle.state !== 'failed' || !(cycle.stage === 'sync' || cycle.stage === 'deprecate')) return null;
  const reopened = await tx
    .updateTable('shards')
    .set({ state: 'pending', attempts: 0, released: false })
    .where('cycle_id', '=', cycle.id)
    .where('state', 'in', ['failed', 'pending'])
    .executeTakeFirst();
  const shards = Number(reopened.numUpdatedRows);
  if (shards === 0) return null;
  const unsettled = await forgetUnsettled(tx, cycle.id);
  await tx
    .updateTable('cycles')
    .set({
      state: 'open',
      stage: 'sync',
      counts: addCounts(sql.ref('counts'), { failed: -unsettled }),
      attempts: 0,
      shards_left: shards,
      dispatch: sql`dispatch + 1`,
      dispatched_at: now,
      error_class: null,
      error_code: null,
      error_message: null,
      closed_at: null,
    })
    .where('id', '=', cycle.id)
    .execute();
  return await releaseShards(tx, cycle.id, shardsAtATime, now);
}

/** Takes back what closing the cycle reported of refs that are tried again now. Returns how many they are. */
async function forgetUnsettled(tx: Tx, cycleId: string): Promise<number> {
  const { numAffectedRows } = await sql`
    DELETE FROM cycle_issues i USING shards s, jsonb_array_elements(s.refs) AS ref
    WHERE i.cycle_id = ${cycleId} AND i.outcome = 'failed' AND i.remote_path = ref ->> 0
      AND s.cycle_id = i.cycle_id AND s.state = 'pending'`.execute(tx);
  return Number(numAffectedRows ?? 0);
}
