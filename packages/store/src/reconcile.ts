import { sql } from 'kysely';
import type { Cycle, Dispatch } from './cycles.ts';
import type { Store, Tx } from './database.ts';
import { fenceShards } from './shards.ts';

export async function tenantsWithOpenCycles(store: Store): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`SELECT keyferry.tenants_with_open_cycles() AS id`.execute(store.global);
  return rows.map((row) => row.id);
}

/** A job that Redis should hold, with how often it was begun. */
export interface ExpectedJob extends Dispatch {
  attempts: number;
}

/** The jobs that open cycles wait for, enqueued before `before`: younger ones may still be on their way to Redis. */
export async function expectedJobs(tx: Tx, before: Date): Promise<ExpectedJob[]> {
  const { rows } = await sql<ExpectedJob>`
    SELECT tenant_id, id AS cycle_id, stage, -1 AS shard, dispatch, attempts FROM cycles
    WHERE state = 'open' AND stage <> 'sync' AND dispatched_at < ${before}
    UNION ALL
    SELECT s.tenant_id, s.cycle_id, 'sync', s.number, s.dispatch, s.attempts
    FROM shards s JOIN cycles c ON c.id = s.cycle_id
    WHERE c.state = 'open' AND c.stage = 'sync' AND s.state = 'pending' AND s.released
      AND s.dispatched_at < ${before}`.execute(tx);
  return rows;
}

/** Raises the dispatch of a lost job. Null if Postgres has moved meanwhile, and the job is not wanted any more. */
export async function redispatchLost(tx: Tx, job: Dispatch, now: Date): Promise<Dispatch | null> {
  const raised = { dispatch: sql<number>`dispatch + 1`, dispatched_at: now };
  const row =
    job.shard < 0
      ? await tx
          .updateTable('cycles')
          .set(raised)
          .where('id', '=', job.cycle_id)
          .where('stage', '=', job.stage)
          .where('dispatch', '=', job.dispatch)
          .where('state', '=', 'open')
          .returning('dispatch')
          .executeTakeFirst()
      : await tx
          .updateTable('shards')
          .set(raised)
          .where('cycle_id', '=', job.cycle_id)
          .where('number', '=', job.shard)
          .where('dispatch', '=', job.dispatch)
          .where('state', '=', 'pending')
          .returning('dispatch')
          .executeTakeFirst();
  return row ? { ...job, dispatch: row.dispatch } : null;
}

/**
 * The cycle of a job that is given up, under a new epoch: whoever works on it loses it, its shards too. Null if Postgres
 * has moved meanwhile, and the job is not wanted any more: then nobody loses anything.
 */
export async function takeOver(tx: Tx, job: Dispatch): Promise<Cycle | null> {
  if (job.shard >= 0 && !(await lockPending(tx, job))) return null;
  if (job.shard >= 0) await fenceShards(tx, job.cycle_id);
  const row = await tx
    .updateTable('cycles')
    .set({ epoch: sql`epoch + 1` })
    .where('id', '=', job.cycle_id)
    .where('state', '=', 'open')
    .where('stage', '=', job.stage)
    .where((eb) => (job.shard < 0 ? eb('dispatch', '=', job.dispatch) : eb.lit(true)))
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

async function lockPending(tx: Tx, job: Dispatch): Promise<boolean> {
  const shard = await tx
    .selectFrom('shards')
    .select('number')
    .where('cycle_id', '=', job.cycle_id)
    .where('number', '=', job.shard)
    .where('dispatch', '=', job.dispatch)
    .where('state', '=', 'pending')
    .forUpdate()
    .executeTakeFirst();
  return shard !== undefined;
}
