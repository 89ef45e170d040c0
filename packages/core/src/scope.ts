import { type Glob, parseGlob, parseSyncPath } from './glob.ts';
import { normalizePath } from './path.ts';

export interface SyncScope {
  /** Folders a listing has to walk, without duplicates and without folders below another. `''` is the root. */
  readonly folders: readonly string[];
  includes(remotePath: string): boolean;
  /** Included by sync_paths, but taken out by exclude_paths. */
  excludes(remotePath: string): boolean;
}

/** What of a vault a backend carries, by sync_paths and exclude_paths. */
export function parseScope(syncPaths: readonly string[], excludePaths: readonly string[]): SyncScope {
  const wanted = syncPaths.map(parseSyncPath);
  const unwanted = excludePaths.map(parseGlob);
  const matches = (globs: readonly Glob[], path: string) => globs.some((glob) => glob.test(path));
  return {
    folders: outermost(wanted.map((glob) => glob.folder)),
    includes: (remotePath) => matches(wanted, normalizePath(remotePath)),
    excludes: (remotePath) => matches(unwanted, normalizePath(remotePath)),
  };
}

function outermost(folders: readonly string[]): string[] {
  const sorted = [...new Set(folders)].sort();
  return sorted.filter((folder) => !sorted.some((other) => other !== folder && folder.startsWith(other)));
}
