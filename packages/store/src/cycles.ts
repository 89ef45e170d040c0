import { type CycleTrigger, KeyferryError, nextSlot, type Stage } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import { addCounts } from './counts.ts';
import type { Store, Tx } from './database.ts';
import type { Database } from './schema.ts';
import { roomForCycles } from './tenant-standing.ts';

export type Cycle = Selectable<Database['cycles']>;

/** A job that Redis should hold: it names work, and never holds any. */
export interface Dispatch {
  tenant_id: string;
  cycle_id: string;
  stage: Stage;
  /** -1 for a stage without shards. */
  shard: number;
  dispatch: number;
}

/** Thrown when a worker's claim has been overtaken: its transaction rolls back, and another has the work. */
export class Overtaken extends Error {
  override name = 'Overtaken';
}

export async function tenantsDue(store: Store, now: Date): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`SELECT keyferry.tenants_due(${now}) AS id`.execute(store.global);
  return rows.map((row) => row.id);
}

/**
 * Opens a full cycle for each due backend of a tenant, the never synced ones first, and moves its next time on; no more of
 * them than the tenant may have open. Any number of schedulers may call it: each due time is claimed once.
 */
export async function claimDueBackends(tx: Tx, now: Date, most: number): Promise<Dispatch[]> {
  const limit = await roomForCycles(tx, most);
  if (limit === 0) return [];
  const due = await tx
    .selectFrom('backends as b')
    .select(['b.id', 'b.tenant_id', 'b.sync_interval_seconds', 'b.phase'])
    .where('b.state', '=', 'active')
    .where('b.next_sync_at', '<=', now)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('cycles as c')
            .select('c.id')
            .whereRef('c.backend_id', '=', 'b.id')
            .where('c.state', '=', 'open')
            .where('c.scope', '=', 'full'),
        ),
      ),
    )
    .orderBy(sql`b.last_success_at IS NOT NULL`)
    .orderBy('b.next_sync_at')
    .limit(limit)
    .forUpdate('b')
    .skipLocked()
    .execute();
  if (due.length === 0) return [];
  const next = due.map((row) => new Date(nextSlot(now.getTime(), row.sync_interval_seconds, row.phase)));
  await sql`UPDATE backends SET next_sync_at = due.next
    FROM unnest(${due.map((row) => row.id)}::uuid[], ${next}::timestamptz[]) AS due (id, next)
    WHERE backends.id = due.id`.execute(tx);
  const cycles = await tx
    .insertInto('cycles')
    .values(due.map((row) => newCycle({ tenantId: row.tenant_id, backendId: row.id, trigger: 'schedule', now })))
    .onConflict((conflict) => conflict.doNothing())
    .returning(['id', 'tenant_id'])
    .execute();
  return cycles.map((cycle) => firstDispatch(cycle.tenant_id, cycle.id));
}

/**
 * Spreads backends that were missed during a stop: what is overdue by more than its window is due at its phase within
 * the window from now, once. A tenant that has only so many cycles open at a time is spread by that: what waits for its turn
 * keeps its place.
 */
export async function spreadOverdue(tx: Tx, now: Date, windowSeconds: number): Promise<void> {
  await sql`UPDATE backends
    SET next_sync_at = ${now}::timestamptz
      + make_interval(secs => (phase % (1000 * least(sync_interval_seconds, ${windowSeconds}::integer))) / 1000.0)
    WHERE state = 'active' AND last_success_at IS NOT NULL
      AND next_sync_at < ${now}::timestamptz - make_interval(secs => least(sync_interval_seconds, ${windowSeconds}::integer))
      AND NOT EXISTS (SELECT FROM cycles c WHERE c.backend_id = backends.id AND c.state = 'open' AND c.scope = 'full')
      AND EXISTS (SELECT FROM tenants t WHERE t.id = backends.tenant_id AND t.max_open_cycles IS NULL)
  `.execute(tx);
}

/**
 * Keeps a backend from being removed until the transaction ends: a removal that is under way would not see a cycle that is
 * opened meanwhile. Throws `backend_not_found`.
 */
export async function keepBackend(tx: Tx, id: string): Promise<void> {
  const backend = await tx
    .selectFrom('backends')
    .select('id')
    .where('id', '=', id)
    .where('state', '<>', 'removed')
    .forShare()
    .executeTakeFirst();
  if (!backend) throw new KeyferryError('backend_not_found', 'The backend was removed.');
}

/** Opens a full cycle by hand, or returns the one that is open. */
export async function openCycle(
  tx: Tx,
  input: {
    tenantId: string;
    backendId: string;
    trigger: CycleTrigger;
    requestedBy: string;
    replayOf?: string;
    now: Date;
  },
): Promise<{ cycle: Cycle; dispatch: Dispatch | null }> {
  await keepBackend(tx, input.backendId);
  const inserted = await tx
    .insertInto('cycles')
    .values({ ...newCycle(input), requested_by: input.requestedBy, replay_of: input.replayOf ?? null })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
  if (inserted) return { cycle: inserted, dispatch: firstDispatch(input.tenantId, inserted.id) };
  const open = await tx
    .selectFrom('cycles')
    .selectAll()
    .where('backend_id', '=', input.backendId)
    .where('scope', '=', 'full')
    .where('state', '=', 'open')
    .executeTakeFirst();
  if (!open) throw new KeyferryError('cycle_running', 'A cycle of this backend ended at this very moment.');
  return { cycle: open, dispatch: null };
}

/**
 * Claims a cycle's stage for a worker and raises the epoch, which fences every earlier claim. Null if there is nothing
 * to do for this dispatch: the stage is done, the cycle is closed, or a newer dispatch has been made.
 */
export async function claimStage(tx: Tx, job: Dispatch): Promise<Cycle | null> {
  const cycle = await tx
    .updateTable('cycles')
    .set({ epoch: sql`epoch + 1`, attempts: sql`attempts + 1` })
    .where('id', '=', job.cycle_id)
    .where('state', '=', 'open')
    .where('stage', '=', job.stage)
    .where('dispatch', '=', job.dispatch)
    .returningAll()
    .executeTakeFirst();
  return cycle ?? null;
}

/** Holds the epoch's row until the transaction ends: nobody can claim the stage meanwhile. Throws `Overtaken`. */
export async function holdStage(tx: Tx, cycle: Pick<Cycle, 'id' | 'epoch' | 'stage'>): Promise<void> {
  const row = await tx
    .selectFrom('cycles')
    .select('id')
    .where('id', '=', cycle.id)
    .where('epoch', '=', cycle.epoch)
    .where('stage', '=', cycle.stage)
    .where('state', '=', 'open')
    .forShare()
    .executeTakeFirst();
  if (!row) throw new Overtaken();
}

/** Ends a stage and opens the next, adding what was counted. Returns the job to enqueue once this has committed. */
export async function moveStage(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'tenant_id' | 'epoch' | 'stage'>,
  next: Stage,
  input: {
    counts: Record<string, number>;
    calls: Record<string, number>;
    now: Date;
    set?: Partial<
      Pick<Cycle, 'listing_complete' | 'container_proven' | 'paths_clear_under' | 'shards_total' | 'shards_left'>
    >;
  },
): Promise<Dispatch> {
  const row = await tx
    .updateTable('cycles')
    .set({
      ...input.set,
      stage: next,
      dispatch: sql`dispatch + 1`,
      dispatched_at: input.now,
      attempts: 0,
      counts: addCounts(sql.ref('counts'), input.counts),
      calls: addCounts(sql.ref('calls'), input.calls),
    })
    .where('id', '=', cycle.id)
    .where('epoch', '=', cycle.epoch)
    .where('stage', '=', cycle.stage)
    .where('state', '=', 'open')
    .returning('dispatch')
    .executeTakeFirst();
  if (!row) throw new Overtaken();
  return { tenant_id: cycle.tenant_id, cycle_id: cycle.id, stage: next, shard: -1, dispatch: row.dispatch };
}

/** Adds to a cycle's counts within its stage, in the transaction that did what is counted. */
export async function addToCycle(
  tx: Tx,
  cycleId: string,
  counts: Record<string, number>,
  calls: Record<string, number>,
): Promise<void> {
  await tx
    .updateTable('cycles')
    .set({ counts: addCounts(sql.ref('counts'), counts), calls: addCounts(sql.ref('calls'), calls) })
    .where('id', '=', cycleId)
    .execute();
}

/** Prepares another attempt of the stage, under a new dispatch. Throws `Overtaken`. */
export async function redispatchStage(tx: Tx, cycle: Pick<Cycle, 'id' | 'epoch'>, now: Date): Promise<Dispatch> {
  const row = await tx
    .updateTable('cycles')
    .set({ dispatch: sql`dispatch + 1`, dispatched_at: now })
    .where('id', '=', cycle.id)
    .where('epoch', '=', cycle.epoch)
    .where('state', '=', 'open')
    .returning(['tenant_id', 'stage', 'dispatch'])
    .executeTakeFirst();
  if (!row) throw new Overtaken();
  return { tenant_id: row.tenant_id, cycle_id: cycle.id, stage: row.stage, shard: -1, dispatch: row.dispatch };
}

/** By id. Throws `cycle_not_found`. */
export async function getCycle(tx: Tx, id: string): Promise<Cycle> {
  const row = await tx.selectFrom('cycles').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw new KeyferryError('cycle_not_found', `There is no cycle ${id}.`);
  return row;
}

/** Newest first, after the cursor if there is one. */
export async function listCycles(
  tx: Tx,
  filter: { backendId?: string; state?: Cycle['state']; limit: number; after?: { opened_at: Date; id: string } },
): Promise<Cycle[]> {
  let query = tx
    .selectFrom('cycles')
    .selectAll()
    .orderBy('opened_at', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit);
  if (filter.backendId) query = query.where('backend_id', '=', filter.backendId);
  if (filter.state) query = query.where('state', '=', filter.state);
  if (filter.after)
    query = query.where(sql<boolean>`(opened_at, id) < (${filter.after.opened_at}, ${filter.after.id}::uuid)`);
  return await query.execute();
}

export async function newestFullCycle(tx: Tx, backendId: string): Promise<Cycle | undefined> {
  return (
    await tx
      .selectFrom('cycles')
      .selectAll()
      .where('backend_id', '=', backendId)
      .where('scope', '=', 'full')
      .orderBy('opened_at', 'desc')
      .orderBy('id', 'desc')
      .limit(1)
      .execute()
  )[0];
}

function newCycle(input: { tenantId: string; backendId: string; trigger: CycleTrigger; now: Date }) {
  return {
    tenant_id: input.tenantId,
    backend_id: input.backendId,
    scope: 'full' as const,
    trigger: input.trigger,
    dispatched_at: input.now,
    opened_at: input.now,
  };
}

function firstDispatch(tenantId: string, cycleId: string): Dispatch {
  return { tenant_id: tenantId, cycle_id: cycleId, stage: 'discover', shard: -1, dispatch: 1 };
}
