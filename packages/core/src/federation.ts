import { type Glob, parseGlob } from './glob.ts';
import { type FederationMode, type MappingRule, type PathMapping, parseMapping } from './mapping.ts';
import { parseModes } from './part.ts';
import { pathProblem } from './path.ts';
import { parseScope, type SyncScope } from './scope.ts';

/** What Keyferry may do to a vault. */
export const accessModes = ['read_only', 'read_and_write'] as const;
export type AccessMode = (typeof accessModes)[number];

/**
 * What becomes of a value that is given to Keyferry: refused, stored here alone, or written to the vault first. The last
 * needs the access mode read_and_write.
 */
export const writeModes = ['disabled', 'local', 'write_through'] as const;
export type WriteMode = (typeof writeModes)[number];

/** For how long what was read from a vault, and isn't stored, may be answered again. Both in seconds. */
export interface CacheTimes {
  /** Without asking the vault; 0 asks it each time. */
  ttl: number;
  /** While the vault can't be asked, marked as stale. */
  maxStale: number;
}

/** What differs by local path. */
export interface CacheRule {
  paths: string[];
  ttl_seconds?: number;
  max_stale_seconds?: number;
}

/** What of a backend's settings says which secrets it federates, under which names, and how. */
export interface FederationSettings {
  mode: FederationMode;
  sync_paths: readonly string[];
  exclude_paths: readonly string[];
  path_mapping: readonly MappingRule[];
}

/** Where a local path leads in one backend. */
export interface Place {
  remotePath: string;
  mode: FederationMode;
  /** By a rule of path_mapping, not merely since nothing maps it elsewhere. */
  mapped: boolean;
}

/** Which secrets of a vault a backend federates, under which names, and how. */
export interface Federation {
  mapping: PathMapping;
  /** Null for a path that the backend does not federate: outside sync_paths, excluded, or nothing's local path. */
  placeOf(localPath: string): Place | null;
  /** How a secret of the vault is federated, if it is. */
  modeOf(remotePath: string): FederationMode;
  /** What is in a mode. Each one notes by itself what it was asked about. */
  scopeOf(mode: FederationMode): SyncScope;
  /** Whether anything may be in this mode. */
  has(mode: FederationMode): boolean;
}

/** The one place that says how what is federated. Throws what `parseScope` and `parseMapping` do. */
export function parseFederation(settings: FederationSettings): Federation {
  const { mode, sync_paths, exclude_paths, path_mapping } = settings;
  const mapping = parseMapping(path_mapping);
  const modes = parseModes(mode, path_mapping);
  const whole = parseScope(sync_paths, exclude_paths);
  const scopeOf = (mode: FederationMode) => parseScope(sync_paths, exclude_paths, modes.part(mode));
  return {
    mapping,
    placeOf(localPath) {
      if (pathProblem(localPath) !== null) return null;
      const remotePath = mapping.toRemote(localPath);
      // What another rule gives another local path has only that one.
      if (mapping.toLocal(remotePath) !== localPath) return null;
      if (!whole.includes(remotePath) || whole.excludes(remotePath)) return null;
      return { remotePath, mode: modes.of(remotePath), mapped: mapping.ruleFor(localPath) !== undefined };
    },
    modeOf: modes.of,
    scopeOf,
    has: (mode) => scopeOf(mode).folders.length > 0,
  };
}

/** The times of each local path: for each of the two the first rule that matches and names it wins. */
export function parseCacheTimes(settings: {
  cache_ttl_seconds: number;
  max_stale_seconds: number;
  cache_rules: readonly CacheRule[];
}): (localPath: string) => CacheTimes {
  const rules = settings.cache_rules.map((rule) => ({ ...rule, globs: rule.paths.map(parseGlob) }));
  const first = (localPath: string, member: 'ttl_seconds' | 'max_stale_seconds') =>
    rules.find((rule) => rule[member] !== undefined && matches(rule.globs, localPath))?.[member];
  return (localPath) => ({
    ttl: first(localPath, 'ttl_seconds') ?? settings.cache_ttl_seconds,
    maxStale: first(localPath, 'max_stale_seconds') ?? settings.max_stale_seconds,
  });
}

const matches = (globs: readonly Glob[], path: string) => globs.some((glob) => glob.test(path));
