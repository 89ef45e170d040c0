import { type CallCounts, type Connection, countCalls, lazyConnection, noCalls } from '@keyferry/connections';
import type { StageJob } from '@keyferry/queue';
import {
  type Backend,
  type Cycle,
  claimShard,
  claimStage,
  type Dispatch,
  getBackend,
  getCycle,
  Overtaken,
  type Shard,
  tenantStanding,
} from '@keyferry/store';
import { handleFailure } from './failure.ts';
import type { Services } from './services.ts';
import { deprecate } from './stages/deprecate.ts';
import { discover } from './stages/discover.ts';
import { notify } from './stages/notify.ts';
import { parseSettings, type StageHandler, type StageRun } from './stages/stage-run.ts';
import { syncShard } from './stages/sync.ts';
import { validate } from './stages/validate.ts';

/**
 * A cycle, stage by stage. Each commits and names the job that comes next; `sync` runs once for each shard.
 * docs/pipeline.md tells what each reads and writes, and how it fails.
 */
const stageHandlers = { discover, validate, deprecate, notify } satisfies Record<string, StageHandler>;

export interface Claim {
  backend: Backend;
  cycle: Cycle;
  /** Null for a stage without shards. */
  shard: Shard | null;
  maxKeys: number | null;
}

/**
 * Runs one job: claims its work, does it, enqueues what comes next. A job whose work is done, or has been dispatched anew,
 * is nothing to do. Rejects only if Postgres is away or the signal was aborted: reconciling then dispatches the work again.
 */
export async function runJob(services: Services, job: StageJob, signal: AbortSignal): Promise<void> {
  const claim = await claimWork(services, job);
  if (!claim) return;
  const calls = noCalls();
  await using connection = lazyConnection(services, claim.backend, signal);
  let next: Dispatch[];
  try {
    next = await countCalls(calls, () => runStage(services, claim, connection.open, calls, signal));
  } catch (error) {
    if (error instanceof Overtaken) return;
    signal.throwIfAborted();
    await handleFailure(services, claim, error, takeCalls(calls));
    return;
  }
  await services.queues.enqueue(next).catch((error: unknown) => {
    // Postgres has moved; what could not be enqueued is found by reconciling.
    services.log.warn({ error: error as Error, cycle_id: job.cycle_id }, 'the next job could not be enqueued yet');
  });
}

async function claimWork(services: Services, job: StageJob): Promise<Claim | null> {
  return await services.store.inTenant(job.tenant_id, async (tx): Promise<Claim | null> => {
    const { state, max_keys } = await tenantStanding(tx);
    // Reconciling dispatches it again once the tenant goes on.
    if (state !== 'active') return null;
    const shard = job.stage === 'sync' ? await claimShard(tx, job) : null;
    if (job.stage === 'sync' && !shard) return null;
    const cycle = shard ? await getCycle(tx, job.cycle_id) : await claimStage(tx, job);
    return cycle && { backend: await getBackend(tx, cycle.backend_id), cycle, shard, maxKeys: max_keys };
  });
}

async function runStage(
  services: Services,
  { backend, cycle, shard, maxKeys }: Claim,
  connect: () => Promise<Connection>,
  calls: CallCounts,
  signal: AbortSignal,
): Promise<Dispatch[]> {
  const run: StageRun = {
    services,
    backend,
    cycle,
    maxKeys,
    ...parseSettings(backend),
    connect,
    takeCalls: () => takeCalls(calls),
    signal,
  };
  return shard ? await syncShard(run, shard) : await stageHandlers[cycle.stage as keyof typeof stageHandlers](run);
}

/** What was counted since the last time, without the operations that made no call. */
function takeCalls(calls: CallCounts): Record<string, number> {
  const taken = Object.fromEntries(Object.entries(calls).filter(([, count]) => count > 0));
  Object.assign(calls, noCalls());
  return taken;
}
