import { KeyferryError } from '@keyferry/core';
import { type Backend, findWritableKey, listBackends, nameOfRemote, type Tx, type WritableKey } from '@keyferry/store';
import { federate, placeAmong } from '../place.ts';

/** Where a value for a local path goes. */
export interface WriteTarget {
  backend: Backend;
  localPath: string;
  remotePath: string;
  /** Null where it is to be made. */
  key: WritableKey | null;
}

/**
 * The key and backend that a local path stands for, its key locked if that is wanted. Throws `path_unmapped`,
 * `path_contested`, `proxied_read_only`, `writes_disabled`, or `path_taken` where another key is in the way.
 */
export async function findTarget(tx: Tx, localPath: string, options: { lock?: boolean } = {}): Promise<WriteTarget> {
  const target = await locate(tx, localPath, options);
  if (target.backend.writes === 'disabled')
    throw new KeyferryError('writes_disabled', `"${localPath}" is of "${target.backend.name}", which takes no writes.`);
  return target;
}

async function locate(tx: Tx, localPath: string, options: { lock?: boolean }): Promise<WriteTarget> {
  const federated = federate(await listBackends(tx));
  const key = (await findWritableKey(tx, localPath, options)) ?? null;
  const own = federated.find(({ backend }) => backend.id === key?.backendId);
  if (key && own?.federation.placeOf(localPath)?.mode === 'sync')
    return { backend: own.backend, localPath, remotePath: key.remotePath, key };
  const place = placeAmong(federated, localPath);
  if (!place) throw new KeyferryError('path_unmapped', `No backend has "${localPath}".`);
  const { backend, remotePath, mode } = place;
  if (mode === 'proxy')
    throw new KeyferryError('proxied_read_only', `"${localPath}" is read through from "${backend.name}".`);
  if (key) throw new KeyferryError('path_taken', `"${localPath}" is the path of a key of another backend.`);
  const name = await nameOfRemote(tx, backend.id, remotePath);
  // One of this very name was made at this moment: whoever writes next finds it.
  if (name !== null && name !== localPath)
    throw new KeyferryError('path_taken', `What "${localPath}" would be in "${backend.name}" is the key "${name}".`);
  return { backend, localPath, remotePath, key: null };
}
