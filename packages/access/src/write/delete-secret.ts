import { KeyferryError } from '@keyferry/core';
import { channelOfOwner, dependentsOf, findIntent, findWritableKey, type Tx, type WritableKey } from '@keyferry/store';
import { commitDeletion } from './commit-deletion.ts';
import { finishLeft, type LeftWrite, takeLeft } from './finish-left.ts';
import { idempotently } from './idempotent.ts';
import { refuseUnmet } from './precondition.ts';
import { removeThrough } from './remove-through.ts';
import type { Attempt, DeletedSecret, DeleteRequest, WriteServices } from './request.ts';
import { findTarget, type WriteTarget } from './target.ts';
import { atWork, writeConflict } from './vault-side.ts';

/**
 * Deletes the key of a local path. Its secret goes from the vault, recoverably, where Keyferry had made it there and
 * `writes` is write_through; else it stays there, and is not carried any more. Throws what `findTarget`, `refuseUnmet` and
 * `idempotently` do, `key_not_found`, `key_not_served` for one that is archived already, `credentials_in_use`,
 * `write_conflict`, or a vault's failure.
 */
export async function deleteSecret(services: WriteServices, request: DeleteRequest): Promise<DeletedSecret> {
  const { tenantId, path } = request;
  return await idempotently(
    services,
    { ...request, parts: ['DELETE', path] },
    () => 200,
    async (attempt) => {
      for (let round = 0; round < maxRounds; round++) {
        const found = await services.store.inTenant(tenantId, (tx) => deleteHere(tx, services, request, attempt));
        if ('removedFrom' in found) return found;
        if (!('left' in found)) return await removeThrough(services, request, found, attempt);
        await finishLeft(services, request, await services.keyring.ofTenant(tenantId), found);
      }
      throw writeConflict(path, 'others write it again and again');
    },
  );
}

/** What was left unfinished is settled before it is looked at again. */
const maxRounds = 3;

/** Deletes it here, unless it has to go from its vault, or a write to the vault was left unfinished before. */
async function deleteHere(
  tx: Tx,
  services: WriteServices,
  request: DeleteRequest,
  attempt: Attempt<DeletedSecret>,
): Promise<DeletedSecret | DeletableTarget | LeftWrite> {
  const { tenantId, path, by } = request;
  const now = services.now();
  const target = await findDeletable(tx, path, now, request);
  const { backend, key, remotePath } = target;
  if (key.owned && backend.writes === 'write_through') return target;
  const left = await takeLeft(tx, target, now);
  if (left) return left;
  // Whoever is at it would bring the key back.
  if (await findIntent(tx, backend.id, remotePath)) throw atWork(path);
  const said = { tenantId, by, now, removedFrom: 'store' as const, tombstone: key.remoteDigest.length > 0 };
  const deleted = await commitDeletion(tx, services, backend, key.id, said);
  if (!deleted) throw notServed(path);
  return await attempt.answer(tx, deleted);
}

type DeletableTarget = WriteTarget & { key: WritableKey };

/** The key that is deleted, locked. */
async function findDeletable(tx: Tx, path: string, now: Date, request: DeleteRequest): Promise<DeletableTarget> {
  const archived = (key: WritableKey | undefined) => key?.state === 'archived';
  if (archived(await findWritableKey(tx, path))) throw notServed(path);
  const target = await findTarget(tx, path, { lock: true });
  const { key } = target;
  if (!key) throw new KeyferryError('key_not_found', `There is no key "${path}".`);
  if (archived(key)) throw notServed(path);
  refuseUnmet(path, key, request, now);
  await refuseInUse(tx, key);
  return { ...target, key };
}

async function refuseInUse(tx: Tx, { localPath, ownedFor }: WritableKey): Promise<void> {
  const channel = ownedFor === null ? null : await channelOfOwner(tx, ownedFor);
  const dependents = [...(await dependentsOf(tx, localPath)), ...(channel === null ? [] : [channel])];
  if (dependents.length > 0)
    throw new KeyferryError(
      'credentials_in_use',
      `"${localPath}" holds credentials of ${dependents.map((name) => `"${name}"`).join(', ')}.`,
      { details: { dependents } },
    );
}

const notServed = (path: string) =>
  new KeyferryError('key_not_served', `"${path}" is archived: there is nothing to delete.`);
