import { forEachDespiteErrors } from '@keyferry/core';
import { allTenants, pruneCycles, pruneEvents, pruneNotices, pruneRequests, sumKeyCounts } from '@keyferry/store';
import type { CoordinationServices } from '../services.ts';

const days = 24 * 3600 * 1000;
/** A failed cycle is resumed while it is younger than its backend's interval, which is seven days at most. */
const keptForResume = 7 * days;
/** Of cycles in which nothing happened there are thousands a day. */
const keptQuietCycles = 1 * days;
const keptCycles = 30 * days;
const keptEvents = 7 * days;
const keptNotices = 7 * days;
/** Failed ones can be replayed. */
const keptFailedNotices = 30 * days;

/** So long a request that is repeated gets the answer of the first. */
const keptRequests = 1 * days;

/** Drops records that nobody needs any more. */
export async function prune(services: CoordinationServices): Promise<void> {
  const ago = (time: number) => new Date(services.now().getTime() - time);
  await forEachDespiteErrors(await allTenants(services.store), async (tenantId) => {
    let more: boolean;
    do {
      more = await services.store.inTenant(tenantId, (tx) =>
        pruneCycles(tx, { shards: ago(keptForResume), quiet: ago(keptQuietCycles), all: ago(keptCycles) }),
      );
    } while (more);
    await services.store.inTenant(tenantId, (tx) => pruneEvents(tx, ago(keptEvents)));
    await services.store.inTenant(tenantId, (tx) => pruneRequests(tx, ago(keptRequests)));
    await services.store.inTenant(tenantId, sumKeyCounts);
    do {
      more = await services.store.inTenant(tenantId, (tx) =>
        pruneNotices(tx, { done: ago(keptNotices), failed: ago(keptFailedNotices) }),
      );
    } while (more);
  });
}
