import { foldersOf, isServed, type KeySelection, type KeyState, matches } from '@keyferry/core';
import { sql } from 'kysely';
import type { Tx } from './database.ts';

/** Finding keys by what a person calls them. */

export interface SelectedKey {
  id: string;
  backendId: string;
  remoteHash: Buffer;
  localPath: string;
  state: KeyState;
  revoked: boolean;
  expiresAt: Date | null;
}

const selected = [
  'id',
  'backend_id as backendId',
  'remote_hash as remoteHash',
  'local_path as localPath',
  'state',
  'revoked',
  'expires_at as expiresAt',
] as const;

const pageSize = 1_000;

export interface SelectionResult {
  /** Each once, in the order in which keys are locked. */
  keys: SelectedKey[];
  /** What of the selection no key has or matches. */
  unmatched: { paths: string[]; globs: string[] };
}

/**
 * The keys of a selection, in any state. Globs are matched here, page by page, in the folders that they name, and only with
 * what `sees` lets through.
 */
export async function selectKeys(
  tx: Tx,
  { paths, globs }: KeySelection,
  sees: (localPath: string) => boolean,
): Promise<SelectionResult> {
  const found = new Map<string, SelectedKey>();
  const named = await keysAt(tx, paths);
  for (const key of named) found.set(key.id, key);
  const unmatchedGlobs = new Set(globs);
  for (const folder of foldersOf(globs))
    for await (const page of keysUnder(tx, folder))
      for (const key of page) {
        if (!matches(globs, key.localPath) || !sees(key.localPath)) continue;
        found.set(key.id, key);
        for (const glob of unmatchedGlobs) if (glob.test(key.localPath)) unmatchedGlobs.delete(glob);
      }
  const there = new Set(named.map(({ localPath }) => localPath));
  return {
    keys: [...found.values()].sort((one, other) => Buffer.compare(one.remoteHash, other.remoteHash)),
    unmatched: {
      paths: paths.filter((path) => !there.has(path)),
      globs: [...unmatchedGlobs].map(({ source }) => source),
    },
  };
}

async function keysAt(tx: Tx, paths: readonly string[]): Promise<SelectedKey[]> {
  if (paths.length === 0) return [];
  return await tx
    .selectFrom('keys')
    .select(selected)
    .where('local_path', '=', sql<string>`ANY(${paths}::text[])`)
    .execute();
}

/** Keys below a folder, which ends with a slash or is empty, in the order of their paths. */
async function* keysUnder(tx: Tx, folder: string): AsyncGenerator<SelectedKey[]> {
  let after = folder;
  for (;;) {
    let query = tx
      .selectFrom('keys')
      .select(selected)
      .where('local_path', '>', after)
      .orderBy('local_path')
      .limit(pageSize);
    // Paths are in the order of their bytes, in which "0" comes right after the slash.
    if (folder !== '') query = query.where('local_path', '<', `${folder.slice(0, -1)}0`);
    const page = await query.execute();
    if (page.length > 0) yield page;
    const last = page.at(-1);
    if (page.length < pageSize || !last) return;
    after = last.localPath;
  }
}

/** How many keys of the tenant are served. */
export async function countServed(tx: Tx, now: Date): Promise<number> {
  const { count } = await tx
    .selectFrom('keys')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', 'in', ['active', 'deprecated'])
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .executeTakeFirstOrThrow();
  return count;
}

export const servedAmong = (keys: readonly SelectedKey[], now: Date): SelectedKey[] =>
  keys.filter((key) => isServed(key, now));
