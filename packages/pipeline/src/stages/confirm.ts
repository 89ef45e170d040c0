import { provesContainer } from '@keyferry/connections';
import { describeError } from '@keyferry/core';
import type { Candidate, Issue } from '@keyferry/store';
import type { Presence } from '@keyferry/vaults';
import type { BackendRun } from './stage-run.ts';

/** So many candidates are confirmed between two looks at the container. */
export const confirmBatch = 200;

export interface Finding {
  candidate: Candidate;
  gone: boolean;
  issue: Issue | null;
}

/**
 * Reads each candidate directly, with a look at the container before and after. `containerProven`: whether the listing that
 * they were missing from was that of the backend's own container.
 */
export async function confirmAll(run: BackendRun, containerProven: boolean, batch: Candidate[]): Promise<Finding[]> {
  if (!containerProven) return batch.map((candidate) => unproven(candidate));
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
