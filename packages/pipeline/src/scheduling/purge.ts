import { forEachDespiteErrors } from '@keyferry/core';
import { notePurged, purgeTenantRows, tenantsToPurge } from '@keyferry/store';
import type { CoordinationServices } from '../services.ts';

/** Whatever was under way when the tenant was deleted has ended by then, and writes no more rows. */
const settleMs = 120_000;
/** Rows that one transaction removes at most. */
const batchSize = 2_000;

/**
 * Removes the rows of deleted tenants, batch by batch; what is interrupted goes on with the next run. Returns how many rows
 * were removed, those that went with them not counted.
 */
export async function purgeDeleted({ store, now }: Pick<CoordinationServices, 'store' | 'now'>): Promise<number> {
  let purged = 0;
  const before = new Date(now().getTime() - settleMs);
  await forEachDespiteErrors(await tenantsToPurge(store, before), async (tenantId) => {
    let removed: number;
    do {
      removed = await store.inTenant(tenantId, (tx) => purgeTenantRows(tx, batchSize));
      purged += removed;
    } while (removed > 0);
    await store.asOperator((tx) => notePurged(tx, tenantId, now()));
  });
  return purged;
}
