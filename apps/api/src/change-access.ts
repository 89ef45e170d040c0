import { raiseAccessRevision, type Store, type Tx } from '@keyferry/store';

/**
 * Changes who may do what in a tenant. Such changes wait for each other: what `work` has looked at, to decide whether the
 * change may be made, stays so until it is.
 */
export async function changeAccess<T>(store: Store, tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> {
  return await store.inTenant(tenantId, async (tx) => {
    await raiseAccessRevision(tx, tenantId);
    return await work(tx);
  });
}
