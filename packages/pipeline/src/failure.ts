import { KeyferryError, stageRetryDelay } from '@keyferry/core';
import {
  addToCycle,
  type Backend,
  type ClosedCycle,
  type Dispatch,
  failCycle,
  noteFailure,
  Overtaken,
  redispatchShard,
  redispatchStage,
  settleShard,
  type Tx,
} from '@keyferry/store';
import { logCycle } from './log-cycle.ts';
import type { Claim } from './pipeline.ts';
import type { Services } from './services.ts';

interface Aftermath {
  dispatch: Dispatch[];
  closed: ClosedCycle | null;
}

/**
 * What follows from a stage or shard that failed: the failure is noted in Postgres, and the work is dispatched again after
 * a while, or given up. A stage that gives up fails its cycle; a shard that gives up leaves the others to go on.
 */
export async function handleFailure(
  services: Services,
  claim: Claim,
  error: unknown,
  calls: Record<string, number>,
): Promise<void> {
  const { cycle, shard, backend } = claim;
  const { attempts } = shard ?? cycle;
  const place = { stage: cycle.stage, shard: shard?.number ?? -1 };
  if (!(error instanceof KeyferryError))
    services.log.error({ error: error as Error, cycle_id: cycle.id, ...place }, 'a stage failed unexpectedly');

  const delay = delayAfter(error, attempts, backend, services.firstRetryMs);
  const now = services.now();
  const aftermath = await services.store
    .inTenant(cycle.tenant_id, async (tx) => {
      await noteFailure(tx, cycle, place, { error, attempts, final: delay === null, now });
      return delay === null ? await giveUp(tx, claim, error, calls, now) : await tryAgain(tx, claim, calls, now);
    })
    .catch((failure: unknown): Aftermath => {
      if (failure instanceof Overtaken) return { dispatch: [], closed: null };
      throw failure;
    });
  if (aftermath.closed) logCycle(services.log, backend, aftermath.closed);
  // If Redis is away, reconciling enqueues it.
  await services.queues.enqueue(aftermath.dispatch, delay ?? 0).catch(() => {});
}

const servicesBelow: readonly string[] = ['database_unavailable', 'redis_unavailable'];

/** What is no failure of the vault is a fault of ours or of the services below, which may pass. */
function delayAfter(error: unknown, attempts: number, backend: Backend, firstMs: number | undefined): number | null {
  if (!(error instanceof KeyferryError) || servicesBelow.includes(error.code))
    return stageRetryDelay(null, attempts, { firstMs });
  // Credentials that are kept elsewhere may have been replaced just now: they are read anew once.
  if (error.failureClass === 'unauthenticated' && attempts === 1 && hasRotatingCredentials(backend))
    return stageRetryDelay(null, attempts, { firstMs });
  return stageRetryDelay(error.failureClass ?? 'invalid', attempts, { firstMs, askedMs: error.retryAfterMs });
}

export const hasRotatingCredentials = ({ credential_paths, config }: Backend) =>
  credential_paths.length > 0 || config.credentials_path !== undefined;

async function tryAgain(tx: Tx, { cycle, shard }: Claim, calls: Record<string, number>, now: Date): Promise<Aftermath> {
  if (shard) return { dispatch: [await redispatchShard(tx, shard, calls, now)], closed: null };
  const dispatch = await redispatchStage(tx, cycle, now);
  await addToCycle(tx, cycle.id, {}, calls);
  return { dispatch: [dispatch], closed: null };
}

async function giveUp(
  tx: Tx,
  { cycle, shard }: Claim,
  error: unknown,
  calls: Record<string, number>,
  now: Date,
): Promise<Aftermath> {
  if (!shard) {
    await addToCycle(tx, cycle.id, {}, calls);
    return { dispatch: [], closed: await failCycle(tx, cycle, error, now) };
  }
  return { dispatch: await settleShard(tx, shard, { failed: true, counts: {}, calls, now }), closed: null };
}
