import {
  audit,
  type Cycle,
  type Dispatch,
  getBackend,
  getFailure,
  keepBackend,
  markReplayed,
  newestFullCycle,
  openCycle,
  resumeCycle,
} from '@keyferry/store';
import type { CoordinationServices } from './services.ts';

/** What people ask for. Each is audited, and each may be asked for twice. */

export async function requestSync(
  services: CoordinationServices,
  request: { tenantId: string; backend: string; requestedBy: string },
): Promise<Cycle> {
  const { tenantId, requestedBy } = request;
  const now = services.now();
  const opened = await services.store.inTenant(tenantId, async (tx) => {
    const { id, name } = await getBackend(tx, request.backend);
    await audit(tx, tenantId, { actor: requestedBy, action: 'sync.requested', target: name }, now);
    return await openCycle(tx, { tenantId, backendId: id, trigger: 'hand', requestedBy, now });
  });
  await enqueueSoon(services, opened.dispatch ? [opened.dispatch] : []);
  return opened.cycle;
}

/**
 * Replays a backend's failed work. While the newest cycle's refs are younger than the backend's interval, that cycle goes
 * on where it gave up; otherwise a new one is opened that names the one it replays.
 */
export async function replayFailure(
  services: CoordinationServices,
  request: { tenantId: string; failureId: string; requestedBy: string },
): Promise<{ cycle: Cycle; resumed: boolean }> {
  const { tenantId, requestedBy } = request;
  const now = services.now();
  const replayed = await services.store.inTenant(tenantId, async (tx) => {
    const failure = await getFailure(tx, request.failureId);
    const backend = await getBackend(tx, failure.backend_id);
    await keepBackend(tx, backend.id);
    const details = { failure_id: failure.id, cycle_id: failure.cycle_id };
    await audit(tx, tenantId, { actor: requestedBy, action: 'jobs.replayed', target: backend.name, details }, now);
    await markReplayed(tx, backend.id);
    const newest = await newestFullCycle(tx, backend.id);
    const young = newest && now.getTime() - newest.opened_at.getTime() < backend.sync_interval_seconds * 1000;
    const resumed = newest?.id === failure.cycle_id && young ? await resumeCycle(tx, newest, now) : null;
    if (resumed && newest) return { cycle: { ...newest, state: 'open' as const }, jobs: resumed, resumed: true };
    const opened = await openCycle(tx, {
      tenantId,
      backendId: backend.id,
      trigger: 'replay',
      requestedBy,
      replayOf: failure.cycle_id,
      now,
    });
    return { cycle: opened.cycle, jobs: opened.dispatch ? [opened.dispatch] : [], resumed: false };
  });
  await enqueueSoon(services, replayed.jobs);
  return { cycle: replayed.cycle, resumed: replayed.resumed };
}

/** Redis may be away: then reconciling enqueues what Postgres expects. */
export async function enqueueSoon(services: CoordinationServices, jobs: Dispatch[]): Promise<void> {
  await services.queues.enqueue(jobs).catch((error: unknown) => {
    services.log.warn({ error: error as Error }, 'a job could not be enqueued yet');
  });
}
