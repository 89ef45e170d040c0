import { KeyferryError } from '@keyferry/core';
import type { StoredSecret } from '@keyferry/store';
import type { ServedBackend } from './change-feed.ts';
import { type PlaceIn, placeAmong } from './place.ts';

/** Where a path is read. */
export type Source =
  | { kind: 'store'; stored: StoredSecret; backend: ServedBackend | null }
  | {
      kind: 'vault';
      backend: ServedBackend;
      remotePath: string;
      /** False while it will be stored soon: what is stored then is to be seen at once. */
      keep: boolean;
    };

/**
 * A key that is stored is answered from the store, unless its path is proxied by now: also where its backend federates it no
 * longer, for as long as the pipeline hasn't taken it out of use. What is to be stored, and isn't since the settings have
 * just been changed, is read in the vault. What is revoked stays so, however its path is federated by now.
 *
 * Throws `path_contested`, `path_unmapped` and `key_not_found`.
 */
export function decideSource(
  backends: readonly ServedBackend[],
  path: string,
  stored: StoredSecret | undefined,
): Source {
  const owner = stored && backends.find(({ backend }) => backend.id === stored.backendId);
  const own = owner?.federation.placeOf(path) ?? null;
  if (stored && ((owner && own?.mode === 'sync') || stored.revoked))
    return { kind: 'store', stored, backend: owner ?? null };
  const found = stored ? placeIfOne(backends, path) : placeAmong(backends, path);
  const backend = found && backends.find((candidate) => candidate.backend.id === found.backend.id);
  if (found && backend && found.mode === 'proxy')
    return { kind: 'vault', backend, remotePath: found.remotePath, keep: true };
  if (stored) return { kind: 'store', stored, backend: owner ?? null };
  if (!found || !backend) throw new KeyferryError('path_unmapped', `No backend federates "${path}".`);
  if (!backend.backend.scope_current) return { kind: 'vault', backend, remotePath: found.remotePath, keep: false };
  throw new KeyferryError('key_not_found', `There is no key "${path}".`);
}

/** Null also where it is contested: then what is stored goes before all. */
function placeIfOne(backends: readonly ServedBackend[], path: string): PlaceIn | null {
  try {
    return placeAmong(backends, path);
  } catch {
    return null;
  }
}
