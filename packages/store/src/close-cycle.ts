import {
  type CycleCounts,
  classOf,
  describeError,
  emptyCounts,
  issuesOf,
  isTransient,
  nextDue,
  unreachableAfter,
} from '@keyferry/core';
import { sql } from 'kysely';
import type { Cycle } from './cycles.ts';
import { Overtaken } from './cycles.ts';
import type { Tx } from './database.ts';
import { resolveFailures } from './failures.ts';
import { forgetFindings } from './findings.ts';
import { appendEvents, type NewEvent } from './outbox.ts';
import { printable } from './printable.ts';
import { sumShards } from './shards.ts';

export interface ClosedCycle {
  cycle: Cycle;
  counts: CycleCounts;
  calls: Record<string, number>;
}

/** The backend's row stays locked to the end: events are numbered under it, and the next due time is written to it. */
async function lockBackend(tx: Tx, backendId: string) {
  return await tx
    .selectFrom('backends')
    .select([
      'id',
      'name',
      'kind',
      'phase',
      'sync_interval_seconds',
      'connection_failures',
      'failed_cycles',
      'unreachable_since',
      'last_success_at',
      'updated_at',
    ])
    .where('id', '=', backendId)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
}

/** Closes a cycle that went through all its stages, tells of it, and says when the backend is due again. */
export async function completeCycle(tx: Tx, cycle: Cycle, now: Date): Promise<ClosedCycle> {
  const backend = await lockBackend(tx, cycle.backend_id);
  const totals = await totalsOf(tx, cycle);
  Object.assign(totals.counts, await sweptSince(tx, backend.id, backend.last_success_at ?? cycle.opened_at));
  const issues = issuesOf(totals.counts);
  const closed = await close(tx, cycle, { state: 'completed', ...totals, issues, now });
  const ended = await endHolds(tx, closed, totals.counts.held, now);
  if (cycle.scope === 'full' && totals.counts.failed === 0) await forgetFindings(tx, cycle);
  await resolveFailures(tx, cycle.id);
  const recovered: NewEvent[] = backend.unreachable_since
    ? [
        {
          type: 'federation.backend.recovered',
          data: { ...about(backend), unreachable_since: backend.unreachable_since },
        },
      ]
    : [];
  const settled = ended.map((holdId) => settledEvent(backend, { id: holdId, state: 'ended' }, null));
  // That the cycle is over comes last, so that whoever gathers what it did knows when to stop.
  const events = [...recovered, ...settled, cycleEvent(backend, { cycle: closed, ...totals })];
  await appendEvents(tx, backend.id, events, now);
  await tx
    .updateTable('backends')
    .set({
      failed_cycles: 0,
      connection_failures: 0,
      unreachable_since: null,
      last_success_at: now,
      ...(cycle.scope === 'full' && {
        last_full_opened_at: cycle.opened_at,
        scope_current: backend.updated_at <= cycle.opened_at,
        ...dueAfter(cycle, backend, 0, now),
      }),
    })
    .where('id', '=', backend.id)
    .execute();
  return { cycle: closed, ...totals };
}

/** Closes a cycle that gave up. It deprecates, archives and purges nothing. */
export async function failCycle(tx: Tx, cycle: Cycle, error: unknown, now: Date): Promise<ClosedCycle> {
  const backend = await lockBackend(tx, cycle.backend_id);
  const totals = await totalsOf(tx, cycle);
  if (cycle.listing_complete) totals.counts.failed += await reportUnsettled(tx, cycle, error);
  const closed = await close(tx, cycle, { state: 'failed', ...totals, issues: issuesOf(totals.counts), error, now });
  const disconnected = isTransient(classOf(error));
  const connectionFailures = disconnected ? backend.connection_failures + 1 : backend.connection_failures;
  const becameUnreachable = disconnected && connectionFailures >= unreachableAfter && !backend.unreachable_since;
  await resolveFailures(tx, cycle.id);
  const events: NewEvent[] = [cycleEvent(backend, { cycle: closed, ...totals })];
  if (becameUnreachable)
    events.push({
      type: 'federation.backend.unreachable',
      data: { ...about(backend), failures: connectionFailures, code: closed.error_code, message: closed.error_message },
    });
  await appendEvents(tx, backend.id, events, now);
  await tx
    .updateTable('backends')
    .set({
      failed_cycles: backend.failed_cycles + 1,
      connection_failures: connectionFailures,
      ...(becameUnreachable && { unreachable_since: now }),
      ...(cycle.scope === 'full' && dueAfter(cycle, backend, connectionFailures, now)),
    })
    .where('id', '=', backend.id)
    .execute();
  return { cycle: closed, ...totals };
}

/** A change that was made while the cycle ran has made the backend due, and stays so. */
function dueAfter(
  cycle: Pick<Cycle, 'opened_at'>,
  backend: { sync_interval_seconds: number; phase: number; updated_at: Date },
  connectionFailures: number,
  now: Date,
): { next_sync_at?: Date } {
  if (backend.updated_at > cycle.opened_at) return {};
  const { sync_interval_seconds: intervalSeconds, phase } = backend;
  return { next_sync_at: new Date(nextDue({ now: now.getTime(), intervalSeconds, phase, connectionFailures })) };
}

/** Counted by the stages, which added to the cycle's row after it was claimed, and by its shards. */
async function totalsOf(tx: Tx, cycle: Cycle) {
  const { counts, calls } = await tx
    .selectFrom('cycles')
    .select(['counts', 'calls'])
    .where('id', '=', cycle.id)
    .executeTakeFirstOrThrow();
  const shards = await sumShards(tx, cycle.id);
  return {
    counts: add(emptyCounts(), counts, shards.counts) as CycleCounts,
    calls: add(calls, shards.calls),
  };
}

/** Names each ref that the cycle gave up on, so that nothing discovered goes unreported. Returns how many. */
async function reportUnsettled(tx: Tx, cycle: Cycle, error: unknown): Promise<number> {
  const { code, message, failureClass } = describeError(error);
  const { numAffectedRows } = await sql`
    INSERT INTO cycle_issues (tenant_id, cycle_id, remote_path, outcome, code, class, message)
    SELECT s.tenant_id, s.cycle_id, ref ->> 0, 'failed', ${code}, ${failureClass}, ${printable(message)}
    FROM shards s, jsonb_array_elements(s.refs) AS ref
    WHERE s.cycle_id = ${cycle.id} AND s.state IN ('pending', 'failed')`.execute(tx);
  return Number(numAffectedRows ?? 0);
}

/** What time has done to the backend's keys since its last good cycle. */
export async function sweptSince(
  tx: Tx,
  backendId: string,
  since: Date,
): Promise<{ archived: number; expired: number }> {
  const rows = await tx
    .selectFrom('keys')
    .select(['state', (eb) => eb.fn.countAll<number>().as('count')])
    .where('backend_id', '=', backendId)
    .where('state', 'in', ['archived', 'expired'])
    .where('state_changed_at', '>', since)
    .groupBy('state')
    .execute();
  const count = (state: string) => rows.find((row) => row.state === state)?.count ?? 0;
  return { archived: count('archived'), expired: count('expired') };
}

function add(...parts: Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const part of parts)
    for (const [name, value] of Object.entries(part)) total[name] = (total[name] ?? 0) + Number(value);
  return total;
}

async function close(
  tx: Tx,
  cycle: Cycle,
  end: {
    state: 'completed' | 'failed';
    counts: CycleCounts;
    calls: Record<string, number>;
    issues: number;
    error?: unknown;
    now: Date;
  },
): Promise<Cycle> {
  const failure = end.state === 'failed' ? describeError(end.error) : null;
  const row = await tx
    .updateTable('cycles')
    .set({
      state: end.state,
      issues: end.issues,
      counts: sql`${JSON.stringify(end.counts)}::jsonb`,
      calls: sql`${JSON.stringify(end.calls)}::jsonb`,
      error_class: failure?.failureClass ?? null,
      error_code: failure?.code ?? null,
      error_message: failure && printable(failure.message),
      closed_at: end.now,
    })
    .where('id', '=', cycle.id)
    .where('epoch', '=', cycle.epoch)
    .where('stage', '=', cycle.stage)
    .where('state', '=', 'open')
    .returningAll()
    .executeTakeFirst();
  if (!row) throw new Overtaken();
  // What the shards counted is in the cycle now: a cycle that is resumed must not count it twice.
  await tx
    .updateTable('shards')
    .set({ counts: sql`'{}'`, calls: sql`'{}'` })
    .where('cycle_id', '=', cycle.id)
    .execute();
  return row;
}

/**
 * A hold whose keys are no longer missing is over, and so is an approval once a whole cycle has made use of it. Returns the
 * ids of those that ended without a person's word.
 */
async function endHolds(tx: Tx, cycle: Cycle, held: number, now: Date): Promise<string[]> {
  if (cycle.scope !== 'full') return [];
  const ended = { state: 'ended', updated_at: now } as const;
  const holds = () =>
    tx.updateTable('holds').set(ended).where('backend_id', '=', cycle.backend_id).where('kind', '=', 'cycle');
  await holds().where('state', '=', 'approved').where('decided_at', '<=', cycle.opened_at).execute();
  if (held > 0) return [];
  const open = await holds().where('state', '=', 'open').where('opened_at', '<', now).returning('id').execute();
  return open.map(({ id }) => id);
}

/** That a hold no longer waits: by a person's word, or because what was missing has come back by itself. */
export function settledEvent(
  backend: { id: string; name: string; kind: string },
  hold: { id: string; state: 'approved' | 'rejected' | 'ended' },
  actor: string | null,
): NewEvent {
  return { type: 'deprecation.settled', data: { ...about(backend), hold_id: hold.id, state: hold.state, actor } };
}

const about = (backend: { id: string; name: string; kind: string }) => ({
  backend_id: backend.id,
  backend: backend.name,
  kind: backend.kind,
});

function cycleEvent(backend: { id: string; name: string; kind: string }, closed: ClosedCycle): NewEvent {
  const { cycle, counts, calls } = closed;
  return {
    type: cycle.state === 'completed' ? 'federation.sync.completed' : 'federation.sync.failed',
    data: {
      ...about(backend),
      cycle_id: cycle.id,
      scope: cycle.scope,
      trigger: cycle.trigger,
      replay_of: cycle.replay_of,
      opened_at: cycle.opened_at,
      closed_at: cycle.closed_at,
      duration_ms: (cycle.closed_at?.getTime() ?? 0) - cycle.opened_at.getTime(),
      counts,
      issues: cycle.issues,
      vault_calls: calls,
      ...(cycle.error_code && {
        error: { class: cycle.error_class, code: cycle.error_code, message: cycle.error_message },
      }),
    },
  };
}
