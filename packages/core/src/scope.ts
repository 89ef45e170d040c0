import { type Glob, parseGlob, parseSyncPath } from './glob.ts';
import { areaBelow, type VaultPart, wholeVault } from './part.ts';
import { normalizePath } from './path.ts';

export interface SyncScope {
  /** Folders a listing has to walk, without duplicates and without folders below another. `''` is the root. */
  readonly folders: readonly string[];
  /** Whether a folder below one of those has to be walked too. */
  enters(folder: string): boolean;
  includes(remotePath: string): boolean;
  /** The sync_paths that include none of the paths that `includes` was asked about, and nothing beyond this scope's part. */
  unmatched(): string[];
  /** Included by sync_paths, but taken out by exclude_paths. */
  excludes(remotePath: string): boolean;
}

/** What of a vault, or of a part of it, sync_paths and exclude_paths name. */
export function parseScope(
  syncPaths: readonly string[],
  excludePaths: readonly string[],
  part: VaultPart = wholeVault,
): SyncScope {
  const wanted = syncPaths.map(parseSyncPath);
  const unwanted = excludePaths.map(parseGlob);
  const matched = new Set<Glob>();
  const includes = (remotePath: string) => {
    const path = normalizePath(remotePath);
    const including = wanted.filter((glob) => glob.test(path));
    for (const glob of including) matched.add(glob);
    return including.length > 0 && part.has(path);
  };
  return {
    folders: outermost(wanted.flatMap((glob) => part.foldersOf(glob))),
    enters: (folder) => part.foldersOf(areaBelow(normalizePath(folder))).length > 0,
    includes,
    unmatched: () => syncPaths.filter((_, index) => isUnmatched(wanted[index] as Glob)),
    excludes: (remotePath) => unwanted.some((glob) => glob.test(normalizePath(remotePath))),
  };

  function isUnmatched(glob: Glob): boolean {
    return !matched.has(glob) && part.hasAll(glob);
  }
}

function outermost(folders: readonly string[]): string[] {
  const sorted = [...new Set(folders)].sort();
  return sorted.filter((folder) => !sorted.some((other) => other !== folder && folder.startsWith(other)));
}
