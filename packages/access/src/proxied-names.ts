import {
  fillGlob,
  type MappingRule,
  normalizePath,
  parseFederation,
  parseGlob,
  parseMapping,
  parseScope,
  pathProblem,
} from '@keyferry/core';
import type { Backend } from '@keyferry/store';

export interface ProxiedNames {
  /** Folders of the vault below which all names are whose local path begins so; none below another. */
  folders: string[];
  /** The local path of a name that is proxied, or null. */
  localOf(remotePath: string): string | null;
}

/** Where in its vault a backend's proxied names are. */
export function proxiedNames(
  backend: Pick<Backend, 'mode' | 'sync_paths' | 'exclude_paths' | 'path_mapping'>,
  prefix: string,
): ProxiedNames {
  const federation = parseFederation(backend);
  const mapping = parseMapping(backend.path_mapping);
  const scope = parseScope(backend.sync_paths, backend.exclude_paths);
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const sought = [
    ...backend.path_mapping
      .filter(({ mode = backend.mode }) => mode === 'proxy')
      .map((rule) => remoteFolder(rule, folder)),
    // What no rule maps has the same name on both sides.
    ...(backend.mode === 'proxy' ? [folder] : []),
  ].filter((remote) => remote !== null);
  const within = sought.flatMap((remote) => scope.folders.flatMap((walked) => narrower(remote, walked)));
  return {
    // No name begins so: dots would lead to another place of the vault.
    folders: folder !== '' && pathProblem(folder.slice(0, -1)) !== null ? [] : outermost(within),
    localOf(remotePath) {
      const path = mapping.toLocal(remotePath);
      const place = federation.placeOf(path);
      return place?.mode === 'proxy' && normalizePath(place.remotePath) === normalizePath(remotePath) ? path : null;
    },
  };
}

/** Where the names of a rule are that begin with a local folder; null where there can be none. */
function remoteFolder({ from, to }: MappingRule, folder: string): string | null {
  const local = parseGlob(from).folder;
  const remote = parseGlob(to).folder;
  if (local.startsWith(folder)) return remote;
  if (!folder.startsWith(local)) return null;
  // What stands for `**` is the same on both sides, and so are the folders in it.
  const plain = from === `${local}**` && to === `${remote}**`;
  return plain ? fillGlob(to, [folder.slice(local.length)]) : remote;
}

function narrower(one: string, other: string): string[] {
  if (one.startsWith(other)) return [one];
  return other.startsWith(one) ? [other] : [];
}

function outermost(folders: readonly string[]): string[] {
  const sorted = [...new Set(folders)].sort();
  return sorted.filter((folder) => !sorted.some((other) => other !== folder && folder.startsWith(other)));
}
