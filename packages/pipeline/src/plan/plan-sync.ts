import { countCalls, lazyConnection, noCalls } from '@keyferry/connections';
import { type CycleCounts, classOf, issuesOf } from '@keyferry/core';
import { audit, type Backend, getBackend, type ShardRef, sweptSince } from '@keyferry/store';
import { hasRotatingCredentials } from '../failure.ts';
import type { Services } from '../services.ts';
import { secretsToMake } from '../stages/make-secrets.ts';
import { type BackendRun, parseSettings } from '../stages/stage-run.ts';
import { type PlanChange, plain, pushOf } from './change.ts';
import { planLosses } from './losses.ts';
import { readBatch } from './read-batch.ts';
import { survey } from './survey.ts';
import { Tally } from './tally.ts';

/** What a cycle would come to. */
export interface PlanSummary {
  backend: string;
  /** By the names of a cycle's. */
  counts: CycleCounts;
  issues: number;
  would_hold: boolean;
  vault_calls: Record<string, number>;
}

/** The backend that somebody wants the plan of, once it is noted who. Throws `backend_not_found`. */
export async function requestPlan(
  services: Pick<Services, 'store' | 'now'>,
  request: { tenantId: string; backend: string; requestedBy: string },
): Promise<Backend> {
  const { tenantId, requestedBy: actor } = request;
  return await services.store.inTenant(tenantId, async (tx) => {
    const backend = await getBackend(tx, request.backend);
    await audit(tx, tenantId, { actor, action: 'sync.planned', target: backend.name }, services.now());
    return backend;
  });
}

/**
 * What a full cycle of a backend would do if it ran now, decided by the code of its stages, with the calls to the vault that it
 * would make. Writes nothing. Lines come while the secrets are read, a batch at a time, and no faster than they are taken; the
 * first come once the listing is complete. Rejects with what would fail the cycle, or with the signal's reason.
 */
export async function* planSync(
  services: Services,
  backend: Backend,
  signal: AbortSignal,
): AsyncGenerator<PlanChange, PlanSummary> {
  const calls = noCalls();
  const counted = <Result>(work: () => Promise<Result>) => countCalls(calls, work);
  const since = backend.last_success_at ?? services.now();
  await using connections = new AsyncDisposableStack();
  const begin = async () => {
    const { open: connect } = connections.use(lazyConnection(services, backend, signal));
    const run: BackendRun = { services, backend, ...parseSettings(backend), connect, signal };
    return await survey(run, new Tally(since));
  };
  const { plan, changes } = await counted(() =>
    begin().catch((error) => {
      // Credentials that are kept elsewhere may have been replaced just now: they are read anew once.
      if (classOf(error) !== 'unauthenticated' || !hasRotatingCredentials(backend)) throw error;
      return begin();
    }),
  );
  yield* changes;
  for await (const keys of secretsToMake(plan, plan.known)) {
    plan.tally.counts.pushed += keys.length;
    yield* keys.map(pushOf);
  }
  for (const refs of plan.excluded.batches()) yield* refs.map(leftOut);
  for (const refs of plan.toRead.batches()) {
    signal.throwIfAborted();
    yield* await counted(() => readBatch(plan, refs));
  }
  const wouldHold = yield* planLosses(plan, counted);

  const { counts } = plan.tally;
  const swept = await services.store.inTenant(backend.tenant_id, (tx) => sweptSince(tx, backend.id, since));
  counts.archived += swept.archived;
  counts.expired += swept.expired;
  return {
    backend: backend.name,
    counts,
    issues: issuesOf(counts),
    would_hold: wouldHold,
    vault_calls: Object.fromEntries(Object.entries(calls).filter(([, count]) => count > 0)),
  };
}

function leftOut([remotePath]: ShardRef): PlanChange {
  return { ...plain('skip', { remotePath, localPath: '' }, 'It is left out by exclude_paths.'), path: null };
}
