import { type Glob, parseGlob, parseSyncPath } from './glob.ts';
import { normalizePath } from './path.ts';

export interface SyncScope {
  /** Folders a listing has to walk, without duplicates and without folders below another. `''` is the root. */
  readonly folders: readonly string[];
  includes(remotePath: string): boolean;
  /** The sync_paths that include none of the paths that `includes` was asked about. */
  unmatched(): string[];
  /** Included by sync_paths, but taken out by exclude_paths. */
  excludes(remotePath: string): boolean;
}

/** What of a vault a backend carries, by sync_paths and exclude_paths. */
export function parseScope(syncPaths: readonly string[], excludePaths: readonly string[]): SyncScope {
  const wanted = syncPaths.map(parseSyncPath);
  const unwanted = excludePaths.map(parseGlob);
  const matched = new Set<Glob>();
  const includes = (remotePath: string) => {
    const path = normalizePath(remotePath);
    const including = wanted.filter((glob) => glob.test(path));
    for (const glob of including) matched.add(glob);
    return including.length > 0;
  };
  return {
    folders: outermost(wanted.map((glob) => glob.folder)),
    includes,
    unmatched: () => syncPaths.filter((_, index) => !matched.has(wanted[index] as Glob)),
    excludes: (remotePath) => unwanted.some((glob) => glob.test(normalizePath(remotePath))),
  };
}

function outermost(folders: readonly string[]): string[] {
  const sorted = [...new Set(folders)].sort();
  return sorted.filter((folder) => !sorted.some((other) => other !== folder && folder.startsWith(other)));
}
