import { parseLifecycle, statesLeftBy } from '@keyferry/core';
import {
  appendEvents,
  audit,
  type Backend,
  backUpKeys,
  endIntent,
  forgetResolution,
  keyEvents,
  lockKeys,
  moveKeys,
  noteDeleted,
  stampWrite,
  type Tx,
} from '@keyferry/store';
import { vaultOfKind } from '@keyferry/vaults';
import type { CommitContext } from './commit-value.ts';
import type { DeletedSecret, WriteServices } from './request.ts';
import { type BegunWrite, leaveWrite } from './vault-side.ts';

/**
 * Archives a key by the word of whoever uses Keyferry, in the caller's transaction. `tombstone`: the vault still has its
 * secret, which stays there. Null if it is archived already.
 */
export async function commitDeletion(
  tx: Tx,
  services: WriteServices,
  backend: Backend,
  keyId: string,
  said: Pick<CommitContext, 'tenantId' | 'by' | 'now'> & {
    removedFrom: DeletedSecret['removedFrom'];
    tombstone: boolean;
  },
): Promise<DeletedSecret | null> {
  const { tenantId, by, now, removedFrom, tombstone } = said;
  const locked = await lockKeys(tx, [keyId], statesLeftBy('deletedHere'));
  const [key] = locked;
  if (!key) return null;
  const lifecycle = parseLifecycle(backend);
  // What the vault can't bring back is kept here, whatever the settings say.
  const { restore } = vaultOfKind(services.registry, backend.kind).capabilities;
  if (backend.backup_deprecated_keys || (removedFrom === 'vault' && !restore))
    await backUpKeys(tx, [key.id], 'deleted', now);
  await moveKeys(tx, tenantId, locked, () => lifecycle, {
    event: 'deletedHere',
    change: 'deleted',
    cause: { cycleId: null, actor: by, reason: null },
    now,
  });
  await noteDeleted(tx, key.id, { tombstone });
  await forgetResolution(tx, key.id);
  await stampWrite(tx, backend.id, key.id);
  const details = { key_id: key.id, backend_id: backend.id, removed_from: removedFrom };
  await audit(tx, tenantId, { actor: by, action: 'key.deleted', target: key.localPath, details }, now);
  const more = { actor: by, removed_from: removedFrom };
  await appendEvents(tx, backend.id, keyEvents('keys.deleted', backend, null, [key.localPath], more), now);
  return { path: key.localPath, removedFrom };
}

interface Removed extends BegunWrite {
  context: Pick<CommitContext, 'tenantId' | 'by'>;
}

/** Archives the key of a secret that was removed from the vault, and ends the noted write. */
export async function storeRemoved(
  removed: Removed,
  keyId: string,
  answer: (tx: Tx, deleted: DeletedSecret) => Promise<DeletedSecret>,
): Promise<DeletedSecret> {
  const { services, backend, intent, context } = removed;
  try {
    return await services.store.inTenant(context.tenantId, async (tx) => {
      const said = { ...context, now: services.now(), removedFrom: 'vault' as const, tombstone: false };
      const deleted = await commitDeletion(tx, services, backend, keyId, said);
      await endIntent(tx, intent);
      return await answer(tx, deleted ?? { path: intent.local_path, removedFrom: 'vault' });
    });
  } catch (error) {
    await leaveWrite(removed);
    throw error;
  }
}
