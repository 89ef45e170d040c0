import { isMassLoss, type LossCause } from '@keyferry/core';
import { estimateLossOf, impossibleRenames, type PossibleCandidate, possibleCandidates } from '@keyferry/store';
import { confirmAll, confirmBatch } from '../stages/confirm.ts';
import { problemOfName } from '../stages/map-ref.ts';
import { type PlanChange, plain, reported } from './change.ts';
import type { PlanRun } from './plan-run.ts';
import { settleAbsent } from './settled.ts';
import { eachMissed, whoMayGo } from './survey.ts';

/** How many calls to a vault a plan has made is counted around these. */
export type Counted = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * What would be deprecated or renamed, in the deprecate stage's order: what was changed here, then the guard, which costs no call, then a direct read of
 * each key that is missing. Returns whether the guard would hold.
 */
export async function* planLosses(plan: PlanRun, counted: Counted): AsyncGenerator<PlanChange, boolean> {
  const { counts } = plan.tally;
  const { auto_deprecate } = plan.backend;
  yield* settleAbsent(plan, possible(plan, 'absent'), counted);
  if (counts.kept > 0) yield* keptKeys(plan);
  if (!auto_deprecate) yield* missingKeys(plan);
  const holds = await wouldHold(plan, auto_deprecate ? ['absent', 'out_of_scope', 'renamed'] : ['renamed']);
  if (auto_deprecate) {
    for await (const batch of inBatches(maybeHeld(plan, 'absent', holds), confirmBatch)) {
      const { held, free } = batch;
      yield* held.map(heldBack);
      if (free.length > 0) yield* await counted(() => proven(plan, free));
    }
    for await (const { held, free } of maybeHeld(plan, 'out_of_scope', holds)) {
      yield* held.map(heldBack);
      counts.deprecated += free.length;
      yield* free.map((key) => plain('deprecate', key, 'The settings leave it out.'));
    }
  }
  yield* renames(plan, holds);
  return counts.held > 0;
}

/** Candidates for one cause that may be lost, in batches. */
async function* possible(plan: PlanRun, cause: LossCause): AsyncGenerator<PossibleCandidate[]> {
  for await (const batch of candidates(plan, cause)) yield batch.filter(({ id }) => !plan.settled.has(id));
}

async function* candidates(plan: PlanRun, cause: LossCause): AsyncGenerator<PossibleCandidate[]> {
  const { services, backend, gone, renames } = plan;
  const among = (keys: { id: string; newPath?: string }[]) =>
    services.store.inTenant(backend.tenant_id, (tx) => possibleCandidates(tx, backend.id, keys, cause));
  if (cause === 'renamed') {
    if (renames.size > 0) yield await among([...renames.values()]);
    return;
  }
  for await (const keys of eachMissed(plan)) yield await whoMayGo(plan, keys, cause);
  // What is to be renamed is a candidate for that already.
  const read = cause === 'absent' ? [...gone].filter((id) => !renames.has(id)).map((id) => ({ id })) : [];
  if (read.length > 0) yield await among(read);
}

/** Whether so many would go that a person has to say so. */
async function wouldHold(plan: PlanRun, causes: readonly LossCause[]): Promise<boolean> {
  const { services, backend, tally, renames } = plan;
  let candidates = 0;
  for (const cause of causes)
    for await (const batch of possible(plan, cause))
      for (const { id, state, approved } of batch) {
        const by = renames.get(id)?.state ?? state;
        if (!approved && (by === 'active' || by === 'deprecated')) candidates++;
      }
  const stored = await services.store.inTenant(backend.tenant_id, (tx) =>
    estimateLossOf(tx, backend.id, services.now()),
  );
  const threshold = { percent: backend.guard_percent, atLeast: backend.guard_at_least };
  return isMassLoss(tally.estimate(candidates, stored), threshold);
}

/** Candidates that the guard holds back, and those that it lets pass. */
interface Guarded {
  held: PossibleCandidate[];
  free: PossibleCandidate[];
}

/** Held back are all that nobody approved, if they are too many, and else those that a person has been asked about. */
async function* maybeHeld(plan: PlanRun, cause: LossCause, holds: boolean): AsyncGenerator<Guarded> {
  for await (const batch of possible(plan, cause)) {
    const { held = [], free = [] } = Object.groupBy(batch, ({ approved, asked }) =>
      !approved && (holds || asked) ? 'held' : 'free',
    );
    plan.tally.counts.held += held.length;
    yield { held, free };
  }
}

/** The same with so many free ones in each batch but the last, so that the container is looked at no more often. */
async function* inBatches(source: AsyncIterable<Guarded>, size: number): AsyncGenerator<Guarded> {
  const waiting: PossibleCandidate[] = [];
  for await (const { held, free } of source) {
    if (held.length > 0) yield { held, free: [] };
    waiting.push(...free);
    while (waiting.length >= size) yield { held: [], free: waiting.splice(0, size) };
  }
  if (waiting.length > 0) yield { held: [], free: waiting };
}

async function* keptKeys(plan: PlanRun): AsyncGenerator<PlanChange> {
  for await (const keys of eachMissed(plan))
    for (const key of keys) if (key.kept) yield plain('keep', key, 'The listing lacks it, and a person keeps it.');
}

async function* missingKeys(plan: PlanRun): AsyncGenerator<PlanChange> {
  for (const cause of ['absent', 'out_of_scope'] as const)
    for await (const batch of possible(plan, cause)) {
      plan.tally.counts.missing += batch.length;
      const why = cause === 'absent' ? 'The vault lacks it' : 'The settings leave it out';
      yield* batch.map((key) => plain('missing', key, `${why}, and auto_deprecate is off.`));
    }
}

const heldBack = (key: PossibleCandidate): PlanChange =>
  plain(
    'hold',
    key,
    key.asked
      ? 'An open hold lists it, and nobody has answered yet.'
      : 'So many keys would go that a person has to say so.',
  );

/** Reads candidates directly, as the deprecate stage does. */
async function proven(plan: PlanRun, candidates: PossibleCandidate[]): Promise<PlanChange[]> {
  const { counts } = plan.tally;
  const findings = await confirmAll(plan, plan.containerProven, candidates);
  return findings.map(({ candidate, issue }) => {
    counts[issue ? 'unconfirmed' : 'deprecated']++;
    if (issue) return reported('stay', candidate.localPath, issue);
    return plain('deprecate', candidate, 'The vault lacks it, as a direct read has shown.');
  });
}

async function* renames(plan: PlanRun, holds: boolean): AsyncGenerator<PlanChange> {
  const { services, backend, tally, taken } = plan;
  for await (const { held, free } of maybeHeld(plan, 'renamed', holds)) {
    yield* held.map(heldBack);
    const wanted = free.flatMap(({ id }) => plan.renames.get(id) ?? []);
    const impossible = await services.store.inTenant(backend.tenant_id, (tx) =>
      impossibleRenames(tx, wanted, [...taken], problemOfName),
    );
    for (const rename of wanted) {
      const issue = impossible.get(rename.id);
      tally.counts[issue ? 'unconfirmed' : 'renamed']++;
      if (issue) yield reported('stay', rename.localPath, issue);
      else yield { ...plain('rename', rename, 'It has another name by path_mapping.'), new_path: rename.newPath };
    }
  }
}
