import { type Glob, parseGlob } from './glob.ts';
import type { FederationMode, MappingRule } from './mapping.ts';
import { normalizePath } from './path.ts';

/** What a glob matches, as far as its texts tell without a path. */
export type Area = Pick<Glob, 'source' | 'folder'>;

/** All below a folder, which ends in a slash, or is `''` for the root. */
export const areaBelow = (folder: string): Area => ({ source: `${folder}**`, folder });

/** A part of a vault. */
export interface VaultPart {
  has(remotePath: string): boolean;
  /** Whether all of an area is in it, as far as can be told without a path. */
  hasAll(area: Area): boolean;
  /** Folders that have all of it that is in an area. */
  foldersOf(area: Area): string[];
}

export const wholeVault: VaultPart = { has: () => true, hasAll: () => true, foldersOf: ({ folder }) => [folder] };

/** Modes of remote paths: that of the rule which gives a secret its local path, and the backend's where none does. */
export interface Modes {
  of(remotePath: string): FederationMode;
  part(mode: FederationMode): VaultPart;
}

export function parseModes(usual: FederationMode, pathMapping: readonly MappingRule[]): Modes {
  const rules = pathMapping.map(({ to, mode }) => ({ to: parseGlob(to), mode: mode ?? usual }));
  // Most backends have one mode alone, and a listing asks this of each of its paths.
  const isOne = rules.every(({ mode }) => mode === usual);
  const of = (remotePath: string) => {
    if (isOne) return usual;
    const path = normalizePath(remotePath);
    return rules.find(({ to }) => to.test(path))?.mode ?? usual;
  };
  const hasAll = (mode: FederationMode, area: Area): boolean => {
    for (const rule of rules) {
      if (rule.mode === mode && covers(rule.to, area)) return true;
      if (rule.mode !== mode && deeper(rule.to, area) !== null) return false;
    }
    return usual === mode;
  };
  const part = (mode: FederationMode): VaultPart => ({
    has: (remotePath) => of(remotePath) === mode,
    hasAll: (area) => hasAll(mode, area),
    foldersOf(area) {
      if (hasAll(mode === 'sync' ? 'proxy' : 'sync', area)) return [];
      if (usual === mode) return [area.folder];
      return rules.flatMap((rule) => (rule.mode === mode ? (deeper(rule.to, area) ?? []) : []));
    },
  });
  return { of, part };
}

/** The folder that has all that is in both areas, or null where nothing can be. */
function deeper(one: Area, other: Area): string | null {
  if (one.folder.startsWith(other.folder)) return one.folder;
  return other.folder.startsWith(one.folder) ? other.folder : null;
}

/** Whether an area is within another one for certain. */
function covers(outer: Area, inner: Area): boolean {
  if (outer.source === inner.source) return true;
  return outer.source === `${outer.folder}**` && inner.folder.startsWith(outer.folder) && inner.source !== inner.folder;
}
