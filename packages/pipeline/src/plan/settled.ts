import { type Candidate, changedAmong, removalFacts } from '@keyferry/store';
import { confirmAll, confirmBatch } from '../stages/confirm.ts';
import { type AbsentVerdict, conflictOfGone, verdictOn } from '../stages/settle-absent.ts';
import { type PlanChange, plain, reported } from './change.ts';
import type { Counted } from './losses.ts';
import type { PlanRun } from './plan-run.ts';

/** What is missing and would be no loss, as the deprecate stage settles it: changed here, or deleted on both sides. */
export async function* settleAbsent(
  plan: PlanRun,
  missing: AsyncIterable<Candidate[]>,
  counted: Counted,
): AsyncGenerator<PlanChange> {
  const waiting: Settled[] = [];
  for await (const batch of missing) {
    for (const one of await noLosses(plan, batch)) {
      plan.settled.add(one.key.id);
      waiting.push(one);
    }
    while (waiting.length >= confirmBatch) yield* await counted(() => settle(plan, waiting.splice(0, confirmBatch)));
  }
  if (waiting.length > 0) yield* await counted(() => settle(plan, waiting));
}

interface Settled {
  key: Candidate;
  verdict: AbsentVerdict;
}

async function noLosses({ services, backend }: PlanRun, batch: readonly Candidate[]): Promise<Settled[]> {
  return await services.store.inTenant(backend.tenant_id, async (tx) => {
    const ids = batch.map(({ id }) => id);
    const changed = await changedAmong(tx, ids);
    const changedIds = changed.map(({ id }) => id);
    const facts = await removalFacts(tx, changedIds);
    return changed.flatMap((key) => {
      const known = facts.get(key.id);
      const verdict = known ? verdictOn(known, backend) : 'goes';
      return verdict === 'goes' ? [] : [{ key, verdict }];
    });
  });
}

async function settle(plan: PlanRun, settled: readonly Settled[]): Promise<PlanChange[]> {
  const { counts } = plan.tally;
  const verdicts = new Map(settled.map(({ key, verdict }) => [key.id, verdict]));
  const keys = settled.map(({ key }) => key);
  const findings = await confirmAll(plan, plan.containerProven, keys);
  return findings.flatMap(({ candidate, issue }): PlanChange[] => {
    if (issue) {
      counts.unconfirmed++;
      return [reported('stay', candidate.localPath, issue)];
    }
    switch (verdicts.get(candidate.id)) {
      case 'stays':
        counts.local_only++;
        return [plain('keep', candidate, 'It was changed here, and stays as a value that the vault lacks.')];
      case 'conflicting':
        counts.conflicts_removed++;
        return [reported('conflict', candidate.localPath, conflictOfGone(candidate.remotePath))];
      case 'deleted':
        counts.archived++;
        return [plain('delete', candidate, 'Keyferry itself has removed it from the vault.')];
      default:
        return [];
    }
  });
}
