import { classOf, describeError, stageRetryDelay } from '@keyferry/core';
import type { Issue, StoredKey } from '@keyferry/store';
import type { SecretReading, SecretVersion } from '@keyferry/vaults';
import type { Reading } from './commit-part.ts';
import type { BackendRun } from './stage-run.ts';

/** Versions that the vault made before the one that was read, and that were not seen here. */
export interface History {
  /** The oldest first. */
  earlier: SecretReading[];
  /** Why not all of them could be had. */
  issue: Issue | null;
}

/**
 * Reads what is missing of one secret's history. A version that can't be read is told of, and fails nothing; rejects for
 * what may pass, but for the last of the attempts.
 */
export async function readHistory(
  run: BackendRun,
  { remote, reading }: Reading,
  known: StoredKey | null,
  attempts: number,
): Promise<History> {
  const earlier: SecretReading[] = [];
  try {
    const connection = await run.connect();
    const versions = await connection.versions(remote, run.signal);
    for (const version of missingVersions(versions, reading.version, known, run.backend.max_versions - 1))
      earlier.push(await connection.readVersion(remote, version, run.signal));
    return { earlier, issue: null };
  } catch (error) {
    run.signal.throwIfAborted();
    // Later cycles look only at what came after this version: what may pass is waited for now.
    if (stageRetryDelay(classOf(error), attempts) !== null) throw error;
    const { message, failureClass } = describeError(error);
    const text = `Not every earlier version of "${remote}" could be read. ${message}`;
    const code = 'history_incomplete';
    return { earlier, issue: { remotePath: remote, outcome: 'history', code, class: failureClass, message: text } };
  }
}

/**
 * The versions between the one that was read and the one that is known, at most `most` of them, the oldest first. Where the
 * vault doesn't keep the known one any more, those it made later.
 */
export function missingVersions(
  versions: readonly SecretVersion[],
  current: string | null,
  known: Pick<StoredKey, 'remoteVersion' | 'remoteCreatedAt'> | null,
  most: number,
): string[] {
  const at = versions.findIndex(({ version }) => version === current);
  const older = at < 0 ? [] : versions.slice(at + 1);
  const end = known === null ? older.length : older.findIndex(({ version }) => version === known.remoteVersion);
  const knownAt = known?.remoteCreatedAt ?? null;
  const missing =
    end >= 0
      ? older.slice(0, end)
      : older.filter(({ createdAt }) => createdAt !== null && knownAt !== null && createdAt > knownAt);
  return missing
    .filter(({ state }) => state === 'available')
    .slice(0, most)
    .map(({ version }) => version)
    .reverse();
}
