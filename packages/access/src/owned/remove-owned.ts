import { randomUUID } from 'node:crypto';
import { dependentsOf, findWritableKey, ownedPaths, ownersRemoved } from '@keyferry/store';
import { commitDeletion } from '../write/commit-deletion.ts';
import { removeThrough } from '../write/remove-through.ts';
import type { DeletedSecret, WriteServices } from '../write/request.ts';
import { findTarget } from '../write/target.ts';

interface Owned {
  tenantId: string;
  /** As `ownerOf` says. */
  owner: string;
  /** Whether the one of this local path stays. */
  isKept(path: string): boolean;
  by: string;
}

/**
 * Removes what was stored for an entity from the vault, and archives its keys. What can't be removed now, since the vault is
 * away or takes no writes any more, stays, and is tried again when the next entity goes.
 */
export async function removeOwned(services: WriteServices, { tenantId, owner, isKept, by }: Owned): Promise<void> {
  const paths = await services.store.inTenant(tenantId, (tx) => ownedPaths(tx, owner));
  for (const path of paths.filter((path) => !isKept(path)))
    await removeOne(services, { tenantId, path, by }).catch((error: unknown) => {
      services.log.warn({ error: error as Error, path }, 'a secret of what was removed is still in its vault');
    });
}

/** The same for all backends that are removed. */
export async function removeOwnedOfRemoved(
  services: WriteServices,
  said: Pick<Owned, 'tenantId' | 'by'>,
): Promise<void> {
  const owners = await services.store.inTenant(said.tenantId, ownersRemoved);
  for (const owner of owners) await removeOwned(services, { ...said, owner, isKept: () => false });
}

async function removeOne(
  services: WriteServices,
  { tenantId, path, by }: { tenantId: string; path: string; by: string },
): Promise<void> {
  const target = await services.store.inTenant(tenantId, async (tx) => {
    // Others may have come to live by it.
    if (!(await findWritableKey(tx, path)) || (await dependentsOf(tx, path)).length > 0) return null;
    const { key, ...rest } = await findTarget(tx, path, { lock: true });
    if (!key) return null;
    if (key.owned && rest.backend.writes === 'write_through') return { ...rest, key };
    const said = { tenantId, by, now: services.now(), removedFrom: 'store' as const };
    await commitDeletion(tx, services, rest.backend, key.id, { ...said, tombstone: key.remoteDigest.length > 0 });
    return null;
  });
  const answer = async (_tx: unknown, deleted: DeletedSecret) => deleted;
  if (target)
    await removeThrough(services, { tenantId, by }, target, { writeId: randomUUID(), repeated: false, answer });
}
