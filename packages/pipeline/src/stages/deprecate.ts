import { describeError, type ErrorCode, KeyferryError } from '@keyferry/core';
import {
  addIssues,
  addToCycle,
  appendEvents,
  type Candidate,
  countCandidates,
  deprecateKeys,
  dropCandidates,
  failCycle,
  holdBack,
  holdStage,
  type Issue,
  moveStage,
  nextCandidates,
  shardFailures,
} from '@keyferry/store';
import type { Presence } from '@keyferry/vaults';
import { provesContainer } from '../container.ts';
import { keyEvents } from '../key-events.ts';
import { logCycle } from '../log-cycle.ts';
import type { StageHandler, StageRun } from './stage-run.ts';

const batchSize = 200;

/**
 * Removes nothing that isn't proven gone. The guard comes first and costs no call; then each candidate is read directly,
 * the container is seen once more after those reads, and only then its keys are backed up and deprecated.
 */
export const deprecate: StageHandler = async (run) => {
  const { services, cycle, backend } = run;
  if (await failIfIncomplete(run)) return [];
  if (backend.auto_deprecate) await guard(run);
  else await leaveMissing(run);

  for (;;) {
    run.signal.throwIfAborted();
    const batch = await services.store.inTenant(cycle.tenant_id, (tx) => nextCandidates(tx, cycle.id, batchSize));
    if (batch.length === 0) break;
    await removeProven(run, batch);
  }
  return await services.store.inTenant(cycle.tenant_id, async (tx) => [
    await moveStage(tx, cycle, 'notify', { counts: {}, calls: {}, now: services.now() }),
  ]);
};

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
    const { held, holdId, opened, estimate } = await holdBack(tx, cycle, now);
    if (opened)
      await appendEvents(
        tx,
        backend.id,
        [
          {
            type: 'deprecation.held',
            data: {
              backend_id: backend.id,
              backend: backend.name,
              kind: backend.kind,
              cycle_id: cycle.id,
              hold_id: holdId,
              candidates: estimate.candidates,
              keys: estimate.keys,
            },
          },
        ],
        now,
      );
    await addToCycle(tx, cycle.id, { held }, {});
  });
}

/** With auto_deprecate off, keys are reported as missing and stay. */
async function leaveMissing({ services, cycle }: StageRun): Promise<void> {
  await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    const missing = await countCandidates(tx, cycle.id);
    await dropCandidates(tx, cycle.id);
    await addToCycle(tx, cycle.id, { missing }, {});
  });
}

async function removeProven(run: StageRun, batch: Candidate[]): Promise<void> {
  const { services, cycle, backend } = run;
  const findings = await confirmAll(run, batch);
  const proven = findings.filter(({ gone }) => gone).map(({ candidate }) => candidate.id);
  const issues = findings.flatMap(({ issue }) => issue ?? []);
  const calls = run.takeCalls();
  const now = services.now();
  await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    const paths = await deprecateKeys(tx, proven, { backup: backend.backup_deprecated_keys, now });
    await dropCandidates(
      tx,
      cycle.id,
      batch.map(({ id }) => id),
    );
    await addIssues(tx, cycle, issues);
    await appendEvents(tx, backend.id, keyEvents('keys.deprecated', backend, cycle.id, paths), now);
    await addToCycle(tx, cycle.id, { deprecated: paths.length, unconfirmed: issues.length }, calls);
  });
}

interface Finding {
  candidate: Candidate;
  gone: boolean;
  issue: Issue | null;
}

async function confirmAll(run: StageRun, batch: Candidate[]): Promise<Finding[]> {
  if (!run.cycle.container_proven) return batch.map((candidate) => unproven(candidate));
  const connection = await run.connect();
  // What the reads rest on, such as the version of the container, is as of now and not of some earlier cycle.
  const before = await connection.probe(run.signal);
  if (!provesContainer(run.backend, before)) return batch.map((candidate) => unproven(candidate));
  // The connection bounds how many of these run at a time.
  const findings = await Promise.all(
    batch.map(async (candidate): Promise<Finding> => {
      try {
        return findingOf(candidate, await connection.confirm(candidate.remotePath, run.signal));
      } catch (error) {
        run.signal.throwIfAborted();
        return unconfirmed(candidate, error);
      }
    }),
  );
  // A mount that was taken away during these reads answers "not found" as well.
  const probe = await connection.probe(run.signal);
  return provesContainer(run.backend, probe) ? findings : batch.map((candidate) => unproven(candidate));
}

function findingOf(candidate: Candidate, presence: Presence): Finding {
  if (presence !== 'present') return { candidate, gone: true, issue: null };
  const message = `"${candidate.remotePath}" was missing from the listing, but can be read.`;
  return { candidate, gone: false, issue: issueOf(candidate, 'hidden_from_listing', null, message) };
}

function unconfirmed(candidate: Candidate, error: unknown): Finding {
  const { message, failureClass } = describeError(error);
  return { candidate, gone: false, issue: issueOf(candidate, 'removal_unconfirmed', failureClass, message) };
}

function unproven(candidate: Candidate): Finding {
  const message = `"${candidate.remotePath}" is missing, but its container was not proven to be there.`;
  return { candidate, gone: false, issue: issueOf(candidate, 'container_unproven', null, message) };
}

function issueOf(candidate: Candidate, code: string, failureClass: string | null, message: string): Issue {
  return { remotePath: candidate.remotePath, outcome: 'unconfirmed', code, class: failureClass, message };
}
