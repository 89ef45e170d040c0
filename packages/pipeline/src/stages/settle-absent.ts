import { absentDigest, type Removal, settleRemoval, statesLeftBy } from '@keyferry/core';
import {
  addIssues,
  addToCycle,
  appendEvents,
  type Backend,
  backUpKeys,
  byCycle,
  type Candidate,
  changedCandidates,
  dropCandidates,
  endWrites,
  forgetDeleted,
  holdStage,
  type Issue,
  keepOnlyHere,
  keyEvents,
  lockKeys,
  moveKeys,
  type NewEvent,
  type RemovalFacts,
  removalFacts,
  type Tx,
} from '@keyferry/store';
import { confirmAll, confirmBatch } from './confirm.ts';
import { keepConflicts, settleConflicts } from './conflicts.ts';
import type { StageRun } from './stage-run.ts';

/** What becomes of a key whose secret is gone: as it is settled, or deleted, since Keyferry itself has removed the secret. */
export type AbsentVerdict = Removal | 'deleted';

export const verdictOn = (facts: RemovalFacts, { conflict_policy }: Pick<Backend, 'conflict_policy'>): AbsentVerdict =>
  facts.removal === null ? settleRemoval(facts, conflict_policy) : 'deleted';

/**
 * Settles what is missing from the vault and no loss: values that were changed here, deletions of both sides, and removals of
 * our own that were not stored. It needs the same proof as any removal, and comes before the guard, which has no say in it.
 */
export async function settleAbsent(run: StageRun): Promise<void> {
  const { services, cycle, backend, signal } = run;
  let after: string | null = null;
  for (;;) {
    signal.throwIfAborted();
    const page = { after, limit: confirmBatch };
    const { batch, facts } = await services.store.inTenant(cycle.tenant_id, async (tx) => {
      const batch = await changedCandidates(tx, cycle.id, page);
      return { batch, facts: await removalFacts(tx, idsOf(batch)) };
    });
    const end = batch.at(-1);
    if (!end) return;
    after = end.id;
    const staying = batch.filter(({ id }) => {
      const known = facts.get(id);
      return known && verdictOn(known, backend) !== 'goes';
    });
    if (staying.length > 0) await settleBatch(run, staying);
  }
}

const idsOf = (keys: readonly { id: string }[]) => keys.map(({ id }) => id);

async function settleBatch(run: StageRun, batch: Candidate[]): Promise<void> {
  const { services, cycle, backend } = run;
  const findings = await confirmAll(run, cycle.container_proven, batch);
  const gone = findings.filter(({ gone }) => gone).map(({ candidate }) => candidate);
  const unconfirmed = findings.flatMap(({ issue }) => issue ?? []);
  const { capabilities } = await run.connect();
  const calls = run.takeCalls();
  const now = services.now();
  await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    await lockKeys(tx, idsOf(gone), ['active', 'archived']);
    const facts = await removalFacts(tx, idsOf(gone));
    const settled = gone.flatMap((key) => {
      const known = facts.get(key.id);
      // What was written since the vault was asked is looked at by the next cycle.
      return known && known.writeSeq <= backend.write_seq
        ? [{ ...key, facts: known, verdict: verdictOn(known, backend) }]
        : [];
    });
    const { issues, events, counts } = await settleGone(run, tx, settled, { restores: capabilities.restore, now });
    await dropCandidates(tx, cycle.id, idsOf(batch));
    await addIssues(tx, cycle, [...unconfirmed, ...issues]);
    await appendEvents(tx, backend.id, events, now);
    await addToCycle(tx, cycle.id, { ...counts, unconfirmed: unconfirmed.length }, calls);
  });
}

interface SettledKey extends Candidate {
  facts: RemovalFacts;
  verdict: AbsentVerdict;
}

/** `restores`: the vault can bring back what was removed. */
interface Moment {
  restores: boolean;
  now: Date;
}

async function settleGone(run: StageRun, tx: Tx, settled: readonly SettledKey[], moment: Moment) {
  const { cycle, backend } = run;
  const { now } = moment;
  const those = (verdict: AbsentVerdict) => settled.filter((key) => key.verdict === verdict);
  const [staying, forgotten, conflicting] = [those('stays'), those('forgotten'), those('conflicting')];
  await keepOnlyHere(tx, idsOf(staying), now);
  await forgetDeleted(tx, idsOf(forgotten), now);
  const deleted = await deleteHere(run, tx, those('deleted'), moment);
  const found = conflicting.map(({ id, localPath, facts }) => ({
    ...goneSide,
    keyId: id,
    path: localPath,
    rowVersion: facts.rowVersion,
  }));
  const conflicts = await keepConflicts(tx, backend, cycle.id, found, now);
  const kept = (keys: readonly SettledKey[], side: 'local' | 'both') =>
    keys.map(({ id }) => [id, { side, remoteDigest: absentDigest }] as const);
  const over = [...kept(staying, 'local'), ...kept([...forgotten, ...those('deleted')], 'both')];
  const resolved = await settleConflicts(tx, backend, cycle.id, new Map(over));
  return {
    issues: conflicting.map(({ remotePath }) => conflictOfGone(remotePath)),
    events: [...deleted, ...conflicts.events, ...resolved],
    counts: { conflicts_removed: conflicting.length, local_only: staying.length },
  };
}

const goneSide = {
  kind: 'removed',
  remoteDigest: Buffer.alloc(0),
  remoteVersion: null,
  remoteCreatedAt: null,
  metadata: {},
} as const;

export function conflictOfGone(remotePath: string): Issue {
  const message = `"${remotePath}" was changed here and is gone from the vault.`;
  return { remotePath, outcome: 'conflicting', code: 'conflict_manual', class: null, message };
}

/** Who is told to have deleted what a cycle finds deleted: the process that did has not lived to say who asked for it. */
const ourselves = 'keyferry';

/** Archives keys whose secrets Keyferry itself has removed from the vault. */
async function deleteHere(
  run: StageRun,
  tx: Tx,
  gone: readonly SettledKey[],
  { restores, now }: Moment,
): Promise<NewEvent[]> {
  const { cycle, backend } = run;
  const keys = await lockKeys(tx, idsOf(gone), statesLeftBy('deletedHere'));
  if (backend.backup_deprecated_keys || !restores) await backUpKeys(tx, idsOf(keys), 'deleted', now);
  await moveKeys(tx, cycle.tenant_id, keys, () => run.lifecycle, {
    event: 'deletedHere',
    change: 'deleted',
    cause: byCycle(cycle.id),
    now,
  });
  await forgetDeleted(tx, idsOf(gone), now);
  await endWrites(
    tx,
    gone.flatMap(({ facts }) => facts.removal ?? []),
  );
  const paths = keys.map(({ localPath }) => localPath);
  return keyEvents('keys.deleted', backend, cycle.id, paths, { actor: ourselves, removed_from: 'vault' });
}
