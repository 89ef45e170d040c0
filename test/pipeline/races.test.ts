import { addsUp, type CycleCounts, KeyferryError } from '@keyferry/core';
import { reconcile, replayFailure, requestSync, runJob, type Services } from '@keyferry/pipeline';
import {
  type Backend,
  type Cycle,
  claimShard,
  type Dispatch,
  expectedJobs,
  listFailures,
  Overtaken,
  openCycle,
  removeBackend,
  settleShard,
} from '@keyferry/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

/** What happens when two things happen in the worst order. Jobs are run by the test, one after the other. */

let house: House;
beforeEach(async () => {
  house = await openHouse();
  await house.stopWorkers();
});
afterEach(() => house.close());

const seed = (count: number) =>
  house.vault.kv('secret').seed(count, (index) => ({ path: `bifrost/k${index}`, data: { value: `v${index}` } }));

const cycleOf = (id: string): Promise<Cycle> =>
  house.read((tx) => tx.selectFrom('cycles').selectAll().where('id', '=', id).executeTakeFirstOrThrow());

async function open(backend: Backend): Promise<Dispatch> {
  const { id } = await requestSync(house.services, {
    tenantId: house.tenantId,
    backend: backend.id,
    requestedBy: 'test',
  });
  return { tenant_id: house.tenantId, cycle_id: id, stage: 'discover', shard: -1, dispatch: 1 };
}

async function jobsOf(cycleId: string): Promise<Dispatch[]> {
  const jobs = await house.read((tx) => expectedJobs(tx, new Date(8.64e15)));
  return jobs.filter((job) => job.cycle_id === cycleId).map(({ attempts: _, ...job }) => job);
}

async function runToEnd(cycleId: string): Promise<Cycle> {
  for (let jobs = await jobsOf(cycleId); jobs.length > 0; jobs = await jobsOf(cycleId))
    for (const job of jobs) await house.run(job);
  return await cycleOf(cycleId);
}

async function toShards(backend: Backend): Promise<Dispatch[]> {
  const first = await open(backend);
  await house.run(first);
  await house.run({ ...first, stage: 'validate', dispatch: 2 });
  return await jobsOf(first.cycle_id);
}

/** Reconciles as if Redis held no job that `lost` picks. */
const reconcileWith = (lost: (jobs: readonly Dispatch[]) => Promise<Dispatch[]>) =>
  reconcile({ ...house.services, queues: { ...house.services.queues, lost } } as Services, -1_000);

test('of two backends that come upon one new path at once, one gets it and the other reports it', async () => {
  house.vault.mounts.enable('other', { type: 'kv', version: 2 });
  house.vault.kv('secret').put('bifrost/same', { value: 'A' });
  house.vault.kv('other').put('bifrost/same', { value: 'B' });
  house.vault.kv('other').put('bifrost/mine', { value: 'B' });
  const left = await house.addBackend();
  const right = await house.addBackend({ config: { ...left.config, mount: 'other' } });
  const [leftShard] = await toShards(left);
  const [rightShard] = await toShards(right);
  await runToEnd((leftShard as Dispatch).cycle_id);
  const cycle = await runToEnd((rightShard as Dispatch).cycle_id);
  expect(cycle).toMatchObject({ state: 'completed', counts: { discovered: 2, added: 1, skipped: 1 } });
  expect(await house.issues(cycle.id)).toMatchObject([{ remote_path: 'bifrost/same', code: 'path_taken' }]);
});

test('a mapping that is changed after the listing is the one that keys are stored under', async () => {
  seed(3);
  const backend = await house.addBackend();
  const first = await open(backend);
  await house.run(first);
  expect(await cycleOf(first.cycle_id)).toMatchObject({ stage: 'validate', paths_clear_under: '[]' });
  const path_mapping = JSON.stringify([{ from: 'moved/**', to: 'bifrost/**' }]);
  await house.read((tx) => tx.updateTable('backends').set({ path_mapping }).where('id', '=', backend.id).execute());
  await runToEnd(first.cycle_id);
  expect(Object.keys(await house.states()).sort()).toEqual(['moved/k0', 'moved/k1', 'moved/k2']);
});

test('what comes to be proxied between the listing and the reading is not stored', async () => {
  seed(3);
  const backend = await house.addBackend();
  const [job] = await toShards(backend);
  const set = { mode: 'proxy' as const };
  await house.read((tx) => tx.updateTable('backends').set(set).where('id', '=', backend.id).execute());
  const cycle = await runToEnd((job as Dispatch).cycle_id);
  expect(cycle).toMatchObject({ state: 'completed', issues: 0, counts: { discovered: 3, skipped: 3, excluded: 3 } });
  expect(cycle.calls.read).toBeUndefined();
  expect(await house.keys()).toEqual([]);
});

test('a part of a shard that comes to be proxied is left out, and the rest is carried', async () => {
  seed(3);
  const backend = await house.addBackend();
  const [job] = await toShards(backend);
  const path_mapping = JSON.stringify([{ from: 'bifrost/k1', to: 'bifrost/k1', mode: 'proxy' }]);
  await house.read((tx) => tx.updateTable('backends').set({ path_mapping }).where('id', '=', backend.id).execute());
  const cycle = await runToEnd((job as Dispatch).cycle_id);
  expect(cycle).toMatchObject({ state: 'completed', counts: { discovered: 3, added: 2, skipped: 1, excluded: 1 } });
  expect(Object.keys(await house.states()).sort()).toEqual(['bifrost/k0', 'bifrost/k2']);
});

test('a listing with a name that can’t be carried leaves all of them to be looked at', async () => {
  seed(3);
  house.vault.kv('secret').put('bifrost/line\nbreak', { value: 'x' });
  const first = await open(await house.addBackend());
  await house.run(first);
  expect(await cycleOf(first.cycle_id)).toMatchObject({ stage: 'validate', paths_clear_under: null });
  expect(await runToEnd(first.cycle_id)).toMatchObject({ counts: { added: 3, skipped: 1 } });
});

test('a shard that ends with a full part leaves its next job in Redis', async () => {
  const large = { value: 'x'.repeat(1_000_000) };
  house.vault.kv('secret').seed(9, (index) => ({ path: `bifrost/k${index}`, data: large }));
  const [job] = await toShards(await house.addBackend());
  await house.run(job as Dispatch);
  const expected = await jobsOf((job as Dispatch).cycle_id);
  expect(expected).toMatchObject([{ stage: 'deprecate' }]);
  expect(await house.services.queues.lost(expected)).toEqual([]);
});

test('a stage that ends while reconciling looks for its job is not given up', async () => {
  seed(3);
  const first = await open(await house.addBackend());
  await house.run(first);
  await house.read((tx) => tx.updateTable('cycles').set({ attempts: 4 }).execute());
  await reconcileWith(async (jobs) => {
    await house.run({ ...first, stage: 'validate', dispatch: 2 });
    return [...jobs];
  });
  expect(await cycleOf(first.cycle_id)).toMatchObject({ state: 'open', stage: 'sync' });
  expect(await runToEnd(first.cycle_id)).toMatchObject({ state: 'completed' });
});

test('a shard that has ended while reconciling looked for its job takes nothing from the others', async () => {
  seed(1_000);
  const [first, second] = await toShards(await house.addBackend());
  await house.read((tx) =>
    tx
      .updateTable('shards')
      .set({ attempts: 4 })
      .where('number', '=', (first as Dispatch).shard)
      .execute(),
  );
  const other = await house.read((tx) => claimShard(tx, second as Dispatch));
  await reconcileWith(async (jobs) => {
    await house.read((tx) =>
      tx
        .updateTable('shards')
        .set({ attempts: 1 })
        .where('number', '=', (first as Dispatch).shard)
        .execute(),
    );
    await house.run(first as Dispatch);
    return jobs.filter((job) => job.shard === (first as Dispatch).shard);
  });
  const part = { left: [], counts: { added: 500 }, calls: {}, now: house.clock.now() };
  expect(await house.read((tx) => settleShard(tx, other as never, part))).toMatchObject([{ stage: 'deprecate' }]);
});

test('secrets that are deleted in the vault and unknown here cost one read a cycle', async () => {
  seed(5);
  for (let index = 0; index < 5; index++) house.vault.kv('secret').delete(`bifrost/k${index}`);
  const backend = await house.addBackend();
  const cycle = await runToEnd((await open(backend)).cycle_id);
  expect(cycle.counts).toMatchObject({ discovered: 5, gone: 5 });
  expect(cycle.calls).toMatchObject({ read: 5 });
});

test('a shard of a cycle that was given up writes nothing more, and a replay counts everything once', async () => {
  seed(1_000);
  const [lost, late] = await toShards(await house.addBackend());
  const shard = await house.read((tx) => claimShard(tx, late as Dispatch));
  await house.read((tx) =>
    tx
      .updateTable('shards')
      .set({ attempts: 4 })
      .where('number', '=', (lost as Dispatch).shard)
      .execute(),
  );
  await reconcileWith(async (jobs) => jobs.filter((job) => job.shard === (lost as Dispatch).shard));
  const failed = await cycleOf((lost as Dispatch).cycle_id);
  expect(failed).toMatchObject({ state: 'failed', error_code: 'cycle_exhausted', counts: { failed: 1_000 } });

  const part = { left: shard?.refs.slice(200) ?? [], counts: { added: 200 }, calls: {}, now: house.clock.now() };
  await expect(house.read((tx) => settleShard(tx, shard as never, part))).rejects.toBeInstanceOf(Overtaken);
  const [failure] = await house.read((tx) => listFailures(tx, { limit: 10 }));
  const request = { tenantId: house.tenantId, failureId: failure?.id ?? '', requestedBy: 'ann' };
  expect(await replayFailure(house.services, request)).toMatchObject({ resumed: true });
  const cycle = await runToEnd(failed.id);
  expect(cycle).toMatchObject({ state: 'completed', counts: { discovered: 1_000, added: 1_000, failed: 0 } });
  expect(addsUp(cycle.counts as CycleCounts)).toBe(true);
});

test('a cycle can’t be opened for a backend that is being removed', async () => {
  const backend = await house.addBackend();
  const now = house.clock.now();
  await house.read((tx) => removeBackend(tx, backend.id, now));
  const opening = house.read((tx) =>
    openCycle(tx, { tenantId: house.tenantId, backendId: backend.id, trigger: 'hand', requestedBy: 'x', now }),
  );
  await expect(opening).rejects.toMatchObject({ code: 'backend_not_found' });
});

test('removing a backend in the middle of a cycle ends the cycle with an event and a report', async () => {
  seed(600);
  const backend = await house.addBackend();
  const [job] = await toShards(backend);
  await house.run(job as Dispatch);
  await house.read((tx) => removeBackend(tx, backend.id, house.clock.now()));
  const cycle = await cycleOf((job as Dispatch).cycle_id);
  expect(cycle).toMatchObject({ state: 'failed', error_code: 'backend_not_found' });
  expect(cycle.counts).toMatchObject({ discovered: 600, added: 500, failed: 100 });
  expect(await house.events('federation.sync.failed')).toHaveLength(1);
  expect(await jobsOf(cycle.id)).toEqual([]);
});

test('a change that is made while a cycle runs is seen at once, not after the interval', async () => {
  seed(3);
  const backend = await house.addBackend({ sync_interval_seconds: 7 * 24 * 3600 });
  const first = await open(backend);
  await house.run(first);
  house.clock.advance(1);
  await house.change(backend, { sync_paths: ['more/*'] });
  await runToEnd(first.cycle_id);
  expect(await house.claimDue()).toBe(1);
});

test('a key that came back while the workers were away is not archived at the end of its grace', async () => {
  seed(5);
  const backend = await house.addBackend({ grace_period_seconds: 3_600 });
  await runToEnd((await open(backend)).cycle_id);
  house.clock.advance(300);
  await runToEnd((await open(backend)).cycle_id);
  house.vault.kv('secret').deleteMetadata('bifrost/k0');
  house.clock.advance(300);
  const first = await open(backend);
  await house.run(first);
  const [deprecation] = await jobsOf(first.cycle_id);
  await house.run(deprecation as Dispatch);
  expect((await house.states())['bifrost/k0']).toBe('deprecated');
  house.vault.kv('secret').put('bifrost/k0', { value: 'back' });
  house.clock.advance(3_601);
  await house.sweep();
  expect((await house.states())['bifrost/k0']).toBe('deprecated');
});

test('a moment of trouble with the database is tried again', async () => {
  seed(3);
  const [job] = await toShards(await house.addBackend());
  let transactions = 0;
  const { store } = house.services;
  const troubled: Services = {
    ...house.services,
    store: {
      ...store,
      // The claim goes through, the look at the keys does not.
      inTenant: async (tenantId, work) => {
        if (++transactions === 2) throw new KeyferryError('database_unavailable', 'The database did not answer.');
        return await store.inTenant(tenantId, work);
      },
    },
  };
  await runJob(troubled, job as Dispatch, new AbortController().signal);
  const [failure] = await house.read((tx) => listFailures(tx, { limit: 10 }));
  expect(failure).toMatchObject({ state: 'retrying', code: 'database_unavailable', attempts: 1 });
  expect(await runToEnd((job as Dispatch).cycle_id)).toMatchObject({ state: 'completed', counts: { added: 3 } });
});

test('what was tried again and went well is no open failure of a cycle that failed elsewhere', async () => {
  seed(600);
  const [shard] = await toShards(await house.addBackend());
  const away = { kind: 'status', status: 503, body: { errors: ['x'] } } as const;
  const passing = house.vault.faults.inject({ effect: { ...away, body: '' }, path: 'secret/data/bifrost/*' });
  await house.run(shard as Dispatch);
  passing.remove();
  const again = (await jobsOf((shard as Dispatch).cycle_id)).find((job) => job.shard === (shard as Dispatch).shard);
  await house.run(again as Dispatch);
  house.vault.faults.inject({ effect: { ...away, body: '' } });
  expect(await runToEnd((shard as Dispatch).cycle_id)).toMatchObject({ state: 'failed' });
  const failures = await house.read((tx) => listFailures(tx, { limit: 10 }));
  expect(failures.map((failure) => [failure.shard, failure.state])).toEqual([[1, 'failed']]);
});

test('what seems gone is asked for again after the container has been seen', async () => {
  seed(3);
  const [job] = await toShards(await house.addBackend());
  // As a mount that is being moved: for a moment everything in it seems to be gone.
  const empty = {
    kind: 'status',
    status: 404,
    body: '{"errors":[]}',
    headers: { 'content-type': 'application/json' },
  } as const;
  house.vault.faults.inject({ effect: empty, path: 'secret/data/*', times: 3 });
  expect(await runToEnd((job as Dispatch).cycle_id)).toMatchObject({
    state: 'completed',
    counts: { added: 3, gone: 0 },
  });
});
