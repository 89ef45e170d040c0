import type { Connection } from '@keyferry/connections';
import { pushes } from '@keyferry/core';
import { type Issue, knownRevisions } from '@keyferry/store';
import type { SecretRef } from '@keyferry/vaults';
import { KnownIndex } from '../known-index.ts';
import { readAhead } from '../read-ahead.ts';
import type { BackendRun } from './stage-run.ts';

/** The index of all of a backend's keys. */
export async function loadIndex({ services, backend, signal }: BackendRun): Promise<KnownIndex> {
  const known = new KnownIndex({ pushes: pushes(backend) });
  for await (const page of knownRevisions(services.store, backend.tenant_id, backend.id)) {
    signal.throwIfAborted();
    for (const row of page) known.add(row);
  }
  return known;
}

/** Who is told of what a listing shows. */
export interface ListingReader {
  /** New, changed, or of unknown version: it has to be read. */
  wanted(ref: SecretRef, isNew: boolean): Promise<void> | void;
  excluded?(ref: SecretRef): void;
}

/** Streams the listing against what is known, and counts what it shows. Rejects unless it is complete. */
export async function readListing(
  { scope, signal }: Pick<BackendRun, 'scope' | 'signal'>,
  connection: Connection,
  known: KnownIndex,
  reader: ListingReader,
) {
  const counts = { discovered: 0, unchanged: 0, gone: 0, skipped: 0, excluded: 0 };
  // Where everything is proxied there is nothing to list, nor need the vault allow it.
  if (scope.folders.length === 0) return counts;
  const listing = connection.list(
    {
      folders: scope.folders,
      enters: scope.enters,
      includes: scope.includes,
      wantsRevision: (path) => known.has(path),
    },
    signal,
  );
  for await (const page of readAhead(listing)) {
    counts.discovered += page.length;
    for (const ref of page) {
      // By a person's word, so it needs no line of its own in every report. Its key, if there is one, counts as left out.
      if (scope.excludes(ref.path)) {
        counts.skipped = ++counts.excluded;
        reader.excluded?.(ref);
        continue;
      }
      const standing = standingOf(ref, known);
      if (standing === 'gone') counts.gone++;
      else if (standing === 'unchanged') counts.unchanged++;
      else await reader.wanted(ref, standing === 'new');
    }
  }
  return counts;
}

/** A ref that is listed but deleted counts as not seen, so that its key becomes a candidate. */
function standingOf(ref: SecretRef, known: KnownIndex): 'gone' | 'new' | 'changed' | 'unchanged' {
  return ref.deleted ? 'gone' : known.see(ref.path, ref.revision);
}

/** What is told of a listing as a whole, once it is complete, and of the credentials that it was made with. */
export function listingIssues({ scope, backend }: BackendRun, { refusedCredentials }: Connection) {
  const empty = scope.unmatched().map(nothingFound);
  if (!refusedCredentials) return { empty, refused: [] };
  // The cycle works with the backend's former credentials: somebody has to mend the new ones.
  const { code, message } = refusedCredentials;
  const refused: Issue = { remotePath: backend.name, outcome: 'credentials', code, class: 'unauthenticated', message };
  return { empty, refused: [refused] };
}

/** Most often a slip of the pen: a vault shows a folder that does not exist as it shows an empty one. */
function nothingFound(syncPath: string): Issue {
  const message = `Nothing was found that "${syncPath}" includes.`;
  return { remotePath: syncPath, outcome: 'empty', code: 'nothing_found', class: null, message };
}

/**
 * Keys that the listing did not bring: missing, or, where the settings leave them out by now and the listing did not look for
 * them, out of scope.
 */
export function missedKeys<Key extends { remotePath: string; tombstone?: boolean }>(
  { scope }: Pick<BackendRun, 'scope'>,
  keys: Key[],
) {
  const { inside = [], beyond = [] } = Object.groupBy(keys, ({ remotePath }) =>
    scope.includes(remotePath) && !scope.excludes(remotePath) ? 'inside' : 'beyond',
  );
  // What was deleted here is no key that the settings could leave out.
  return { inside, beyond: beyond.filter(({ tombstone }) => tombstone !== true) };
}

/** Of these keys those that the path mapping of now gives another name, with that name. */
export function renamedKeys<Key extends { remotePath: string; localPath: string }>(
  { mapping }: Pick<BackendRun, 'mapping'>,
  keys: readonly Key[],
): (Key & { newPath: string })[] {
  return keys.flatMap((key) => {
    const newPath = mapping.toLocal(key.remotePath);
    return newPath === key.localPath ? [] : [{ ...key, newPath }];
  });
}
