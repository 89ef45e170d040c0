import type { Outcome } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import { addCounts } from './counts.ts';
import { type Cycle, type Dispatch, Overtaken } from './cycles.ts';
import type { Tx } from './database.ts';
import { printable } from './printable.ts';
import type { Database, ShardRef } from './schema.ts';

export type Shard = Selectable<Database['shards']>;

/** What is told of one secret that needs a person's eye. */
export interface Issue {
  remotePath: string;
  outcome: Outcome | 'unconfirmed' | 'empty' | 'credentials' | 'history' | 'warned' | 'unpushed';
  code: string;
  class: string | null;
  message: string;
}

export async function addIssues(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'tenant_id'>,
  issues: readonly Issue[],
): Promise<void> {
  if (issues.length === 0) return;
  const rows = issues.map(({ remotePath, ...issue }) => ({
    ...issue,
    remote_path: printable(remotePath),
    message: printable(issue.message),
    tenant_id: cycle.tenant_id,
    cycle_id: cycle.id,
  }));
  await tx.insertInto('cycle_issues').values(rows).execute();
}

/** Forgets what an earlier, overtaken run of the discover stage left behind. */
export async function clearDiscovery(tx: Tx, cycleId: string): Promise<void> {
  await tx.deleteFrom('shards').where('cycle_id', '=', cycleId).execute();
  await tx.deleteFrom('candidates').where('cycle_id', '=', cycleId).execute();
}

/** Adds shards, numbered from `first` on. */
export async function addShards(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'tenant_id'>,
  first: number,
  shards: readonly { refs: readonly ShardRef[]; allNew: boolean }[],
  now: Date,
): Promise<void> {
  const rows = shards.map(({ refs, allNew }, index) => ({
    cycle_id: cycle.id,
    tenant_id: cycle.tenant_id,
    number: first + index,
    refs: encodeRefs(refs),
    all_new: allNew,
    dispatched_at: now,
  }));
  await tx.insertInto('shards').values(rows).execute();
}

// jsonb refuses NUL and lone surrogates; such a name is encoded as a JSON text inside the text, marked by a NUL-free prefix.
const encodedMark = '\u{FDD0}';
const encodePath = (path: string) =>
  path.includes('\0') || !path.isWellFormed() || path.startsWith(encodedMark)
    ? encodedMark + Buffer.from(path, 'utf16le').toString('base64')
    : path;
const decodePath = (text: string) =>
  text.startsWith(encodedMark) ? Buffer.from(text.slice(1), 'base64').toString('utf16le') : text;
const encodeRefs = (refs: readonly ShardRef[]) =>
  JSON.stringify(refs.map(([remote, local, facts]) => [encodePath(remote), local, facts]));
const decodeRefs = (refs: readonly ShardRef[]) =>
  refs.map(([remote, local, facts = null]): ShardRef => [decodePath(remote), local, facts]);

export interface ShardRefs {
  number: number;
  refs: ShardRef[];
}

/** The refs of so many shards of a cycle, from this number on. */
export async function readRefs(tx: Tx, cycleId: string, from: number, count: number): Promise<ShardRefs[]> {
  const rows = await tx
    .selectFrom('shards')
    .select(['number', 'refs'])
    .where('cycle_id', '=', cycleId)
    .where('number', '>=', from)
    .where('number', '<', from + count)
    .orderBy('number')
    .execute();
  return rows.map(({ number, refs }) => ({ number, refs: decodeRefs(refs) }));
}

/** Replaces shards' refs with those that the validate stage lets through; a shard without any is done. */
export async function setRefs(
  tx: Tx,
  cycleId: string,
  shards: readonly (ShardRefs & { skipped: number })[],
): Promise<void> {
  await sql`
    UPDATE shards s SET refs = m.refs, state = m.state,
      counts = s.counts || jsonb_build_object('skipped', coalesce((s.counts->>'skipped')::bigint, 0) + m.skipped)
    FROM unnest(${shards.map(({ number }) => number)}::integer[], ${shards.map(({ refs }) => encodeRefs(refs))}::jsonb[],
      ${shards.map(({ refs }) => (refs.length > 0 ? 'pending' : 'done'))}::text[],
      ${shards.map(({ skipped }) => skipped)}::bigint[]) AS m (number, refs, state, skipped)
    WHERE s.cycle_id = ${cycleId} AND s.number = m.number`.execute(tx);
}

export async function countPendingShards(tx: Tx, cycleId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('shards')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('cycle_id', '=', cycleId)
    .where('state', '=', 'pending')
    .executeTakeFirstOrThrow();
  return count;
}

/** Lets the next shards of a cycle be worked on. Returns their jobs, to be enqueued once this has committed. */
export async function releaseShards(tx: Tx, cycleId: string, limit: number, now: Date): Promise<Dispatch[]> {
  // Materialized: as a mere subquery it may run once for every row that is updated, and lock other rows each time.
  const { rows } = await sql<{ tenant_id: string; number: number; dispatch: number }>`
    WITH next AS MATERIALIZED (
      SELECT number FROM shards WHERE cycle_id = ${cycleId} AND state = 'pending' AND NOT released
      ORDER BY number LIMIT ${limit} FOR UPDATE SKIP LOCKED)
    UPDATE shards s SET released = true, dispatch = s.dispatch + 1, dispatched_at = ${now}
    FROM next WHERE s.cycle_id = ${cycleId} AND s.number = next.number
    RETURNING s.tenant_id, s.number, s.dispatch`.execute(tx);
  return rows.map(({ number, ...row }) => ({ ...row, cycle_id: cycleId, stage: 'sync', shard: number }));
}

/** Claims a shard for a worker, as `claimStage` claims a stage. The cycle has to be open and in its sync stage. */
export async function claimShard(tx: Tx, job: Dispatch): Promise<Shard | null> {
  const row = await tx
    .updateTable('shards')
    .set({ epoch: sql`shards.epoch + 1`, attempts: sql`shards.attempts + 1` })
    .from('cycles as c')
    .where('shards.cycle_id', '=', job.cycle_id)
    .where('shards.number', '=', job.shard)
    .where('shards.state', '=', 'pending')
    .where('shards.dispatch', '=', job.dispatch)
    .whereRef('c.id', '=', 'shards.cycle_id')
    .where('c.state', '=', 'open')
    .where('c.stage', '=', 'sync')
    .returningAll('shards')
    .executeTakeFirst();
  return row ? { ...row, refs: decodeRefs(row.refs) } : null;
}

/** Holds the shard's epoch until the transaction ends. Throws `Overtaken`. */
export async function holdShard(tx: Tx, shard: Pick<Shard, 'cycle_id' | 'number' | 'epoch'>): Promise<void> {
  const row = await tx
    .selectFrom('shards')
    .select('number')
    .where('cycle_id', '=', shard.cycle_id)
    .where('number', '=', shard.number)
    .where('epoch', '=', shard.epoch)
    .where('state', '=', 'pending')
    .forShare()
    .executeTakeFirst();
  if (!row) throw new Overtaken();
}

/**
 * Writes what is left of a shard and adds what was counted. A shard with nothing left is done and counted off its cycle, as
 * the transaction's last lock: whoever takes the last one moves the cycle on. So is one that failed, which keeps its refs.
 * Returns the jobs that come next: another shard of the cycle, or its next stage.
 */
export async function settleShard(
  tx: Tx,
  shard: Pick<Shard, 'cycle_id' | 'number' | 'epoch' | 'tenant_id'>,
  input: ({ left: readonly ShardRef[] } | { failed: true }) & {
    counts: Record<string, number>;
    calls: Record<string, number>;
    now: Date;
  },
): Promise<Dispatch[]> {
  const failed = 'failed' in input;
  const state = failed ? 'failed' : input.left.length > 0 ? 'pending' : 'done';
  const updated = await tx
    .updateTable('shards')
    .set({
      ...(!failed && { refs: encodeRefs(input.left) }),
      counts: addCounts(sql.ref('counts'), input.counts),
      calls: addCounts(sql.ref('calls'), input.calls),
      state,
    })
    .where('cycle_id', '=', shard.cycle_id)
    .where('number', '=', shard.number)
    .where('epoch', '=', shard.epoch)
    .where('state', '=', 'pending')
    .executeTakeFirst();
  if (Number(updated.numUpdatedRows) === 0) throw new Overtaken();
  if (state === 'pending') return [];
  const released = await releaseShards(tx, shard.cycle_id, 1, input.now);
  return [...released, ...(await countShardOff(tx, shard.tenant_id, shard.cycle_id, input.now))];
}

async function countShardOff(tx: Tx, tenantId: string, cycleId: string, now: Date): Promise<Dispatch[]> {
  const cycle = await tx
    .updateTable('cycles')
    .set({
      shards_left: sql`shards_left - 1`,
      stage: sql`CASE WHEN shards_left = 1 THEN 'deprecate' ELSE stage END`,
      dispatch: sql`CASE WHEN shards_left = 1 THEN dispatch + 1 ELSE dispatch END`,
      attempts: 0,
      dispatched_at: now,
    })
    .where('id', '=', cycleId)
    .where('state', '=', 'open')
    .where('stage', '=', 'sync')
    .returning(['shards_left', 'stage', 'dispatch'])
    .executeTakeFirst();
  if (!cycle) throw new Overtaken();
  if (cycle.shards_left > 0) return [];
  return [{ tenant_id: tenantId, cycle_id: cycleId, stage: cycle.stage, shard: -1, dispatch: cycle.dispatch }];
}

/** Takes a cycle's unfinished shards from whoever works on them, after waiting for writes that are under way. */
export async function fenceShards(tx: Tx, cycleId: string): Promise<void> {
  await tx
    .updateTable('shards')
    .set({ epoch: sql`epoch + 1` })
    .where('cycle_id', '=', cycleId)
    .where('state', '=', 'pending')
    .execute();
}

/** Prepares another attempt of a shard, under a new dispatch, and adds the calls of this one. Throws `Overtaken`. */
export async function redispatchShard(
  tx: Tx,
  shard: Pick<Shard, 'cycle_id' | 'number' | 'epoch' | 'tenant_id'>,
  calls: Record<string, number>,
  now: Date,
): Promise<Dispatch> {
  const row = await tx
    .updateTable('shards')
    .set({ dispatch: sql`dispatch + 1`, dispatched_at: now, calls: addCounts(sql.ref('calls'), calls) })
    .where('cycle_id', '=', shard.cycle_id)
    .where('number', '=', shard.number)
    .where('epoch', '=', shard.epoch)
    .where('state', '=', 'pending')
    .returning('dispatch')
    .executeTakeFirst();
  if (!row) throw new Overtaken();
  return {
    tenant_id: shard.tenant_id,
    cycle_id: shard.cycle_id,
    stage: 'sync',
    shard: shard.number,
    dispatch: row.dispatch,
  };
}

/** Counts and calls of all shards of a cycle, added up. */
export async function sumShards(
  tx: Tx,
  cycleId: string,
): Promise<{ counts: Record<string, number>; calls: Record<string, number> }> {
  const { rows } = await sql<{
    counts: Record<string, number> | null;
    calls: Record<string, number> | null;
  }>`SELECT
    (SELECT jsonb_object_agg(name, total) FROM (SELECT name, sum(value::bigint) AS total
      FROM shards, jsonb_each_text(counts) AS parts (name, value) WHERE cycle_id = ${cycleId} GROUP BY name) AS sums) AS counts,
    (SELECT jsonb_object_agg(name, total) FROM (SELECT name, sum(value::bigint) AS total
      FROM shards, jsonb_each_text(calls) AS parts (name, value) WHERE cycle_id = ${cycleId} GROUP BY name) AS sums) AS calls`.execute(
    tx,
  );
  const row = rows[0];
  return { counts: row?.counts ?? {}, calls: row?.calls ?? {} };
}
