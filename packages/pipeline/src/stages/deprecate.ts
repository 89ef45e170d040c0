import { absentDigest, type ErrorCode, KeyferryError, statesLeftBy } from '@keyferry/core';
import {
  addIssues,
  addToCycle,
  appendEvents,
  backUpKeys,
  byCycle,
  type Candidate,
  countCandidates,
  dropCandidates,
  dropImpossibleRenames,
  dropMalformedRenames,
  dropMissing,
  dropOutdatedRenames,
  failCycle,
  holdBack,
  holdStage,
  type Issue,
  keyEvents,
  type LockedKey,
  lockKeys,
  moveKeys,
  moveStage,
  type NewKeyChange,
  nextCandidates,
  noteAbsent,
  noteApprovals,
  noteKeyChanges,
  noteMissing,
  outdateTimes,
  removalFacts,
  renameKeys,
  shardFailures,
  type Tx,
} from '@keyferry/store';
import { heldEvent } from '../held-event.ts';
import { logCycle } from '../log-cycle.ts';
import { confirmAll, confirmBatch } from './confirm.ts';
import { settleConflicts } from './conflicts.ts';
import { missedKeys } from './listing.ts';
import { problemOfName } from './map-ref.ts';
import { settleAbsent, verdictOn } from './settle-absent.ts';
import type { StageHandler, StageRun } from './stage-run.ts';

/**
 * Removes nothing that isn't proven gone. What was changed here is settled apart. The guard comes first and costs no call; then each candidate that is missing is
 * read directly, the container is seen once more after those reads, and only then its keys are backed up and deprecated.
 * What the settings leave out by now, or call by another name, needs no proof: a person said so, and the guard let it pass.
 */
export const deprecate: StageHandler = async (run) => {
  const { services, cycle, backend } = run;
  if (await failIfIncomplete(run)) return [];
  await settleAbsent(run);
  if (!backend.auto_deprecate) await leaveMissing(run);
  await guard(run);
  await eachBatch(run, 'absent', (batch) => removeProven(run, batch));
  await eachBatch(run, 'out_of_scope', (batch) => removeLeftOut(run, batch));
  await rename(run);
  return await services.store.inTenant(cycle.tenant_id, async (tx) => [
    await moveStage(tx, cycle, 'notify', { counts: {}, calls: {}, now: services.now() }),
  ]);
};

async function eachBatch(
  { services, cycle, signal }: StageRun,
  cause: 'absent' | 'out_of_scope',
  work: (batch: Candidate[]) => Promise<void>,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const batch = await services.store.inTenant(cycle.tenant_id, (tx) =>
      nextCandidates(tx, cycle.id, cause, confirmBatch),
    );
    if (batch.length === 0) return;
    await work(batch);
  }
}

/** A cycle that gave up on a shard has failed, for the shard's reason, and deprecates nothing. */
async function failIfIncomplete({ services, cycle, backend }: StageRun): Promise<boolean> {
  const closed = await services.store.inTenant(cycle.tenant_id, async (tx) => {
    const [failure, ...others] = await shardFailures(tx, cycle.id);
    if (!failure) return null;
    const message = `${others.length + 1} of the cycle’s ${cycle.shards_total} shards gave up. ${failure.message}`;
    const error = new KeyferryError(
      failure.code as ErrorCode,
      message,
      failure.class ? { failureClass: failure.class } : {},
    );
    return await failCycle(tx, cycle, error, services.now());
  });
  if (closed) logCycle(services.log, backend, closed);
  return closed !== null;
}

/** Holds candidates back if they would be a mass loss, and tells of a new hold. */
async function guard({ services, cycle, backend }: StageRun): Promise<void> {
  const now = services.now();
  await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    const threshold = { percent: backend.guard_percent, atLeast: backend.guard_at_least };
    const { held, holdId, opened, estimate } = await holdBack(tx, cycle, threshold, now);
    if (opened && holdId !== null)
      await appendEvents(
        tx,
        backend.id,
        [heldEvent(backend, { cycleId: cycle.id, holdId, candidates: held, keys: estimate.keys })],
        now,
      );
    await addToCycle(tx, cycle.id, { held }, {});
  });
}

/** With auto_deprecate off, keys are reported as missing for ever, and stay. */
async function leaveMissing({ services, cycle, backend }: StageRun): Promise<void> {
  const now = services.now();
  await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    const news = await noteMissing(tx, cycle.id, now);
    const missing = await dropMissing(tx, cycle.id);
    const changes = news.map(
      ({ id }): NewKeyChange => ({ keyId: id, change: 'missing', from: 'active', to: 'active' }),
    );
    await noteKeyChanges(tx, cycle.tenant_id, byCycle(cycle.id), changes, now);
    const paths = news.map(({ local_path }) => local_path);
    await appendEvents(tx, backend.id, keyEvents('keys.missing', backend, cycle.id, paths), now);
    await addToCycle(tx, cycle.id, { missing }, {});
  });
}

async function removeProven(run: StageRun, batch: Candidate[]): Promise<void> {
  const findings = await confirmAll(run, run.cycle.container_proven, batch);
  const proven = findings.filter(({ gone }) => gone).map(({ candidate }) => candidate.id);
  const issues = findings.flatMap(({ issue }) => issue ?? []);
  await removeKeys(run, batch, { ids: proven, event: 'removed', deprecatedFor: 'absent', issues });
}

async function removeLeftOut(run: StageRun, batch: Candidate[]): Promise<void> {
  // The settings may have been mended since the listing.
  const { beyond } = missedKeys(run, batch);
  const ids = beyond.map(({ id }) => id);
  await removeKeys(run, batch, { ids, event: 'leftScope', deprecatedFor: 'out_of_scope', issues: [] });
}

/** Deprecates keys of a batch, after a backup if the backend wants one, and takes the batch out of the cycle. */
async function removeKeys(
  run: StageRun,
  batch: Candidate[],
  removal: {
    ids: string[];
    event: 'removed' | 'leftScope';
    deprecatedFor: 'absent' | 'out_of_scope';
    issues: Issue[];
  },
): Promise<void> {
  const { services, cycle, backend } = run;
  const { ids, event, deprecatedFor, issues } = removal;
  const calls = run.takeCalls();
  const now = services.now();
  await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    const states = event === 'removed' ? statesLeftBy(event) : [...statesLeftBy(event), 'deprecated' as const];
    // A person may have said meanwhile that it stays.
    const locked = (await lockKeys(tx, ids, states)).filter(({ kept }) => !kept);
    const keys = event === 'removed' ? await withoutWritten(run, tx, locked) : locked;
    const going = keys.map(({ id }) => id);
    // What was deprecated before has its backup from then.
    const active = keys.filter(({ state }) => state === 'active').map(({ id }) => id);
    if (backend.backup_deprecated_keys) await backUpKeys(tx, active, 'deprecated', now);
    await moveKeys(tx, cycle.tenant_id, keys, () => run.lifecycle, {
      event,
      change: 'deprecated',
      set: { deprecatedAt: now, deprecatedFor },
      cause: { ...byCycle(cycle.id), reason: deprecatedFor },
      now,
    });
    await noteApprovals(tx, going, deprecatedFor);
    if (event === 'removed') await noteAbsent(tx, going);
    const side = event === 'removed' ? 'remote' : 'local';
    const kept = new Map(going.map((id) => [id, { side, remoteDigest: absentDigest }] as const));
    const resolved = await settleConflicts(tx, backend, cycle.id, kept);
    await dropCandidates(
      tx,
      cycle.id,
      batch.map(({ id }) => id),
    );
    await addIssues(tx, cycle, issues);
    const paths = keys.map(({ localPath }) => localPath);
    const events = [...keyEvents('keys.deprecated', backend, cycle.id, paths), ...resolved];
    await appendEvents(tx, backend.id, events, now);
    await addToCycle(tx, cycle.id, { deprecated: keys.length, unconfirmed: issues.length }, calls);
  });
}

/** What was written here since the vault was asked is looked at by the next cycle. */
async function withoutWritten({ backend }: StageRun, tx: Tx, keys: LockedKey[]) {
  const ids = keys.map(({ id }) => id);
  const facts = await removalFacts(tx, ids);
  return keys.filter(({ id }) => {
    const known = facts.get(id);
    return known && known.writeSeq <= backend.write_seq && verdictOn(known, backend) === 'goes';
  });
}

/** Gives keys the names that path_mapping gives them now, all at once, since they may want each other's. */
async function rename({ services, cycle, backend, mapping }: StageRun): Promise<void> {
  const now = services.now();
  await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    if ((await countCandidates(tx, cycle.id, 'renamed')) === 0) return;
    await dropOutdatedRenames(tx, cycle.id, mapping.toLocal);
    const issues = [
      ...(await dropMalformedRenames(tx, cycle.id, problemOfName)),
      ...(await dropImpossibleRenames(tx, cycle.id)),
    ];
    const renamed = await renameKeys(tx, cycle.id, now);
    if (renamed.length > 0) await outdateTimes(tx, backend.id, now);
    const changes = renamed.map(
      ({ id, state }): NewKeyChange => ({ keyId: id, change: 'renamed', from: state, to: state }),
    );
    await noteKeyChanges(tx, cycle.tenant_id, byCycle(cycle.id), changes, now);
    const told = renamed.map(({ local_path, renamed_from }) => ({ path: local_path, renamed_from }));
    await addIssues(tx, cycle, issues);
    await appendEvents(tx, backend.id, keyEvents('keys.renamed', backend, cycle.id, told), now);
    await addToCycle(tx, cycle.id, { renamed: renamed.length, unconfirmed: issues.length }, {});
  });
}
