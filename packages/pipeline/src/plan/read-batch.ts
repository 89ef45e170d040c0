import { maxStageAttempts } from '@keyferry/core';
import { type LossStanding, lossStandings, type ShardRef } from '@keyferry/store';
import { find, type Left, type Part, placeOf, reportOf } from '../stages/commit-part.ts';
import { type Judged, judgeReading, pathTaken } from '../stages/decide.ts';
import { readHistory } from '../stages/history.ts';
import { mapRef } from '../stages/map-ref.ts';
import { readShard } from '../stages/sync.ts';
import { judgeShards } from '../stages/validate.ts';
import { changesOfReading, type EarlierVersions, type PlanChange, reported } from './change.ts';
import type { PlanRun } from './plan-run.ts';

/**
 * What would become of the refs of one shard, as the validate and sync stages see it. Nobody waits for what may pass: this is
 * the last attempt that a cycle would make. Rejects if the vault itself does not answer.
 */
export async function readBatch(plan: PlanRun, refs: readonly ShardRef[]): Promise<PlanChange[]> {
  const { services, backend, mapping, tally } = plan;
  const mapped = refs.map(([remote, stored, facts]) => ({ ...mapRef(mapping, remote, facts), stored }));
  const judged = await services.store.inTenant(backend.tenant_id, (tx) =>
    judgeShards(plan, tx, [{ number: 0, refs: mapped }], plan.wanted),
  );
  const valid = judged.flatMap(({ refs }) => refs);
  const changes = valid.flatMap(({ local, issue }) => (issue ? [reported('skip', local, issue)] : []));
  tally.count('skipped', changes.length);
  const left = valid.flatMap(({ remote, local, facts, issue }): ShardRef[] => (issue ? [] : [[remote, local, facts]]));
  if (left.length === 0) return changes;
  await readShard(plan, { refs: left, attempts: maxStageAttempts }, async (left, part) => {
    changes.push(...(await settle(plan, left, part)));
    return [];
  });
  return changes;
}

async function settle(plan: PlanRun, left: Left, part: Part): Promise<PlanChange[]> {
  const { services, backend, judge, tally } = plan;
  const now = services.now();
  const failed = part.failed.map(({ remote, error }) => reportOf(remote, error));
  const found = await find(plan, part.readings, failed);
  const keys = await services.keyring.ofTenant(backend.tenant_id);
  const judged = part.readings.map((read): Judged => {
    const { item, stored, taken, begun } = placeOf(read, found, backend);
    return taken ? pathTaken(item) : judgeReading({ item, known: stored, begun, backend, judge, keys, now });
  });
  const earlier = await earlierVersions(plan, judged);
  const standings = await standingsOf(plan, judged, now);
  const changes = judged.flatMap((one, index) => {
    const before = earlier[index] ?? none;
    tally.count(one.outcome);
    if (one.issues.some(({ outcome }) => outcome === 'warned')) tally.counts.warned++;
    if (before.issue) tally.counts.history_incomplete++;
    tally.note(one, standings.get(one.known?.id ?? ''), now);
    noteNames(plan, one);
    return changesOfReading(one, before);
  });
  for (const issue of failed) {
    const { remotePath, outcome } = issue;
    const key = found.known.get(remotePath);
    tally.count(outcome === 'gone' ? 'gone' : 'failed');
    if (outcome === 'gone' && key) plan.gone.add(key.id);
    if (outcome !== 'gone') changes.push(reported('fail', key?.localPath ?? left.get(remotePath)?.[0] ?? null, issue));
  }
  for (const { remote } of [...part.readings, ...part.failed]) left.delete(remote);
  return changes;
}

const none: EarlierVersions = { count: 0, issue: null };

/** How many versions would be stored before each that was read, where the backend carries them. */
async function earlierVersions(plan: PlanRun, judged: readonly Judged[]): Promise<EarlierVersions[]> {
  const { capabilities } = await plan.connect();
  if (!plan.backend.version_history || !capabilities.history) return [];
  return await Promise.all(
    judged.map(async ({ item, known, change }): Promise<EarlierVersions> => {
      if (change?.settlement.write !== 'value') return none;
      const { earlier, issue } = await readHistory(plan, item, known, maxStageAttempts);
      return { count: earlier.length, issue };
    }),
  );
}

/** Of the keys that would change their state. */
async function standingsOf(
  { services, backend }: PlanRun,
  judged: readonly Judged[],
  now: Date,
): Promise<Map<string, LossStanding>> {
  const moved = judged.flatMap(({ known, change }) =>
    known && change && change.settlement.state !== known.state ? [known.id] : [],
  );
  if (moved.length === 0) return new Map();
  const rows = await services.store.inTenant(backend.tenant_id, (tx) => lossStandings(tx, backend.id, moved, now));
  return new Map(rows.map((row) => [row.id, row]));
}

/** What renames, which come last, would find otherwise than it is now. */
function noteNames({ renames, taken }: PlanRun, { item, known, change }: Judged): void {
  if (!change || renames.size === 0) return;
  const rename = known && renames.get(known.id);
  if (rename) rename.state = change.settlement.state;
  if (!known) taken.add(item.local);
}
