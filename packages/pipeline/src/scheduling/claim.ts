import { catchUpWindow, forEachDespiteErrors } from '@keyferry/core';
import { claimDueBackends, spreadOverdue, tenantsDue } from '@keyferry/store';
import type { CoordinationServices } from '../services.ts';

/** Most backends of one tenant that are claimed in one transaction. */
const claimBatch = 100;
/** The longest window that `catchUpWindow` gives. */
const widestWindow = catchUpWindow(Number.MAX_SAFE_INTEGER);

/** Opens a cycle for every backend that is due, and enqueues its first stage. Returns how many were opened. */
export async function claimDue(services: CoordinationServices): Promise<number> {
  let opened = 0;
  await forEachDespiteErrors(await tenantsDue(services.store, services.now()), async (tenantId) => {
    await services.store.inTenant(tenantId, (tx) => spreadOverdue(tx, services.now(), widestWindow));
    const jobs = await services.store.inTenant(tenantId, (tx) => claimDueBackends(tx, services.now(), claimBatch));
    opened += jobs.length;
    await services.queues.enqueue(jobs);
  });
  return opened;
}
