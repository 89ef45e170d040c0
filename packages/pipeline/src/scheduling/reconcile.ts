import { forEachDespiteErrors, KeyferryError, maxStageAttempts } from '@keyferry/core';
import {
  type ExpectedJob,
  expectedJobs,
  failCycle,
  getBackend,
  noteFailure,
  redispatchLost,
  takeOver,
  tenantsWithOpenCycles,
} from '@keyferry/store';
import { logCycle } from '../log-cycle.ts';
import type { CoordinationServices } from '../services.ts';

/**
 * Compares what open cycles wait for with what Redis holds. Work without a live job, because Redis was flushed, a worker
 * died between commit and enqueue, or BullMQ gave the job up as stalled, is dispatched again; after its attempts the cycle
 * fails. `settleMs` leaves jobs alone that were dispatched a moment ago. Returns how many were dispatched.
 */
export async function reconcile(services: CoordinationServices, settleMs: number): Promise<number> {
  let dispatched = 0;
  await forEachDespiteErrors(await tenantsWithOpenCycles(services.store), async (tenantId) => {
    const before = new Date(services.now().getTime() - settleMs);
    const expected = await services.store.inTenant(tenantId, (tx) => expectedJobs(tx, before));
    const lost = new Set(await services.queues.lost(expected));
    for (const job of expected) {
      if (!lost.has(job)) continue;
      if (job.attempts >= maxStageAttempts) await giveUp(services, job);
      else if (await dispatchAgain(services, job)) dispatched++;
    }
  });
  return dispatched;
}

async function dispatchAgain(services: CoordinationServices, { attempts: _, ...job }: ExpectedJob): Promise<boolean> {
  const next = await services.store.inTenant(job.tenant_id, (tx) => redispatchLost(tx, job, services.now()));
  if (!next) return false;
  services.log.info({ cycle_id: job.cycle_id, stage: job.stage, shard: job.shard }, 'a lost job is dispatched again');
  await services.queues.enqueue([next]);
  return true;
}

async function giveUp(services: CoordinationServices, job: ExpectedJob): Promise<void> {
  const now = services.now();
  const closed = await services.store.inTenant(job.tenant_id, async (tx) => {
    const cycle = await takeOver(tx, job);
    if (!cycle) return null;
    const message = `The ${job.stage} stage was begun ${job.attempts} times and never ended.`;
    const error = new KeyferryError('cycle_exhausted', message);
    const place = { stage: job.stage, shard: job.shard };
    await noteFailure(tx, cycle, place, { error, attempts: job.attempts, final: true, now });
    return { backend: await getBackend(tx, cycle.backend_id), cycle: await failCycle(tx, cycle, error, now) };
  });
  if (closed) logCycle(services.log, closed.backend, closed.cycle);
}
