import { type Glob, parseGlob } from './glob.ts';
import { type FederationMode, type MappingRule, parseMapping } from './mapping.ts';
import { pathProblem } from './path.ts';
import { parseScope } from './scope.ts';

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

export interface Federation {
  /** Null for a path that the backend does not federate: outside sync_paths, excluded, or nothing's local path. */
  placeOf(localPath: string): Place | null;
  /** How a secret of the vault is federated, by the local path it has. */
  modeOf(remotePath: string): FederationMode;
  /** Whether anything may be in this mode. */
  has(mode: FederationMode): boolean;
}

/** Throws what `parseScope` and `parseMapping` do. */
export function parseFederation(settings: FederationSettings): Federation {
  const scope = parseScope(settings.sync_paths, settings.exclude_paths);
  const mapping = parseMapping(settings.path_mapping);
  const modeUnder = (localPath: string) => mapping.ruleFor(localPath)?.mode ?? settings.mode;
  return {
    placeOf(localPath) {
      if (pathProblem(localPath) !== null) return null;
      const remotePath = mapping.toRemote(localPath);
      // What another rule gives another local path has only that one.
      if (mapping.toLocal(remotePath) !== localPath) return null;
      if (!scope.includes(remotePath) || scope.excludes(remotePath)) return null;
      return { remotePath, mode: modeUnder(localPath), mapped: mapping.ruleFor(localPath) !== undefined };
    },
    modeOf: (remotePath) => modeUnder(mapping.toLocal(remotePath)),
    has: (mode) => settings.mode === mode || settings.path_mapping.some((rule) => rule.mode === mode),
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
