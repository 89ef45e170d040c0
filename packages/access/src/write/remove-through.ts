import { classOf } from '@keyferry/core';
import type { WritableKey } from '@keyferry/store';
import { beginWrite } from './begin-write.ts';
import { storeRemoved } from './commit-deletion.ts';
import type { Attempt, DeletedSecret, DeleteRequest, WriteServices } from './request.ts';
import { settleUnfinished } from './settle-unfinished.ts';
import type { WriteTarget } from './target.ts';
import { endWrite, leaveWrite, readSecret, withContainer, yieldWrite } from './vault-side.ts';

/** Failures after which it isn't clear whether the vault has removed it. */
const unclear = ['invalid', 'timeout', 'unavailable'];

/** Removes an owned secret from the vault, if it is what was last seen there, and then archives its key. */
export async function removeThrough(
  services: WriteServices,
  { tenantId, by }: Pick<DeleteRequest, 'tenantId' | 'by'>,
  target: WriteTarget & { key: WritableKey },
  attempt: Attempt<DeletedSecret>,
): Promise<DeletedSecret> {
  const { backend, key, localPath, remotePath } = target;
  const keys = await services.keyring.ofTenant(tenantId);
  return await withContainer(services, backend, async (connection, signal) => {
    const shared = { services, backend, connection, signal, context: { tenantId, keys, by } };
    const wanted = {
      id: attempt.writeId,
      tenantId,
      backendId: backend.id,
      kind: 'remove' as const,
      remotePath,
      localPath,
      valueDigest: Buffer.alloc(0),
      creates: false,
      ownedFor: key.ownedFor,
    };
    const { intent } = await beginWrite(services, wanted, (left) =>
      settleUnfinished({ ...shared, intent: left, target }),
    );
    const write = { ...shared, intent };
    try {
      const found = await readSecret(connection, remotePath, signal);
      // No vault compares here: what others have made of it meanwhile is theirs.
      if (found && !keys.digest(found.value.reveal()).equals(key.remoteDigest)) throw await yieldWrite(write);
      if (found) await connection.remove(remotePath, signal);
    } catch (error) {
      await (unclear.includes(classOf(error)) ? leaveWrite(write) : endWrite(write));
      throw error;
    }
    return await storeRemoved(write, key.id, attempt.answer);
  });
}
