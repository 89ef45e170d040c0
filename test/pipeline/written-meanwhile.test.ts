import { requestSync } from '@keyferry/pipeline';
import { type Backend, type Cycle, type Dispatch, expectedJobs } from '@keyferry/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { deleteHere, writeHere } from '../support/written.ts';

/** Writes through Keyferry that land while a cycle is under way. Jobs are run by the test, one after the other. */

const path = 'bifrost/a';

let house: House;
let backend: Backend;
beforeEach(async () => {
  house = await openHouse();
  for (const name of ['a', 'b', 'c']) house.vault.kv('secret').put(`bifrost/${name}`, { value: name });
  backend = await house.addBackend();
  await house.cycle(backend);
  await house.stopWorkers();
});
afterEach(() => house.close());

const served = async () => (JSON.parse(await house.value(path)) as { value: string }).value;
const cycleOf = (id: string): Promise<Cycle> =>
  house.read((tx) => tx.selectFrom('cycles').selectAll().where('id', '=', id).executeTakeFirstOrThrow());

async function jobsOf(cycleId: string): Promise<Dispatch[]> {
  const jobs = await house.read((tx) => expectedJobs(tx, new Date(8.64e15)));
  return jobs.filter((job) => job.cycle_id === cycleId).map(({ attempts: _, ...job }) => job);
}

/** Runs a cycle's jobs, each as often as it is told, until one of this stage is next, or to its end. */
async function runTo(stage: Dispatch['stage'] | null, cycleId: string, times = 1): Promise<Cycle> {
  for (let jobs = await jobsOf(cycleId); jobs.length > 0 && jobs[0]?.stage !== stage; jobs = await jobsOf(cycleId))
    for (const job of jobs) for (let time = 0; time < times; time++) await house.run(job);
  return await cycleOf(cycleId);
}

async function open(): Promise<string> {
  house.clock.advance(1);
  const request = { tenantId: house.tenantId, backend: backend.id, requestedBy: 'test' };
  return (await requestSync(house.services, request)).id;
}

/** Writes a value at the moment at which the vault is asked for the secret: the shard has its older one by then. */
function writeWhileRead(value: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let begun = false;
    house.vault.faults.inject({
      effect: { kind: 'slow', delayMs: 300 },
      path: `secret/data/${path}`,
      method: 'GET',
      when: () => {
        if (!begun) writeHere(house, { backend, path }, value).then(resolve, reject);
        begun = true;
        return true;
      },
    });
  });
}

test('a value that is written while a shard has read the older one stays, and the next cycle looks', async () => {
  house.vault.kv('secret').put(path, { value: 'older' });
  const written = writeWhileRead('ours');
  const cycle = await runTo(null, await open());
  await written;
  expect(cycle.counts).toMatchObject({ unchanged: 3, updated: 0 });
  expect(await served()).toBe('ours');
  house.vault.faults.clear();
  expect((await runTo(null, await open())).counts).toMatchObject({ updated: 1 });
  expect(await served()).toBe('older');
});

test('a key that is made here while its secret is read is no news of the vault', async () => {
  const fresh = 'bifrost/new';
  house.vault.kv('secret').put(fresh, { value: 'theirs' });
  const id = await open();
  await runTo('sync', id);
  const [job] = await jobsOf(id);
  let written: Promise<unknown> | undefined;
  house.vault.faults.inject({
    effect: { kind: 'slow', delayMs: 300 },
    path: `secret/data/${fresh}`,
    when: () => {
      written ??= writeHere(house, { backend, path: fresh }, 'ours');
      return true;
    },
  });
  await house.run(job as Dispatch);
  await written;
  expect((await runTo(null, id)).counts).toMatchObject({ added: 0, unchanged: 4 });
  expect(JSON.parse(await house.value(fresh))).toEqual({ value: 'ours' });
});

test('a key that is written after its secret was proven gone is not deprecated', async () => {
  house.vault.kv('secret').deleteMetadata(path);
  const id = await open();
  await runTo('deprecate', id);
  let written: Promise<unknown> | undefined;
  house.vault.faults.inject({
    effect: { kind: 'slow', delayMs: 300 },
    path: `*/${path}`,
    when: () => {
      written ??= writeHere(house, { backend, path }, 'ours');
      return true;
    },
  });
  expect((await runTo(null, id)).counts).toMatchObject({ deprecated: 0 });
  await written;
  expect(await served()).toBe('ours');
  expect((await house.states())[path]).toBe('active');
});

test('jobs that run twice keep, settle and push each conflict once', async () => {
  backend = await house.change(backend, { conflict_policy: 'manual' });
  await writeHere(house, { backend, path }, 'ours');
  house.vault.kv('secret').put(path, { value: 'theirs' });
  await writeHere(house, { backend, path: 'bifrost/b' }, 'ours');
  house.vault.kv('secret').deleteMetadata('bifrost/b');
  await deleteHere(house, { backend, path: 'bifrost/c' });
  house.vault.kv('secret').put('bifrost/c', { value: 'theirs' });
  const first = await runTo(null, await open(), 2);
  expect(first.counts).toMatchObject({ discovered: 2, conflicting: 2, conflicts_removed: 1 });
  expect(await house.events('conflict.detected')).toHaveLength(2);

  backend = await house.change(backend, {
    conflict_policy: 'local_wins',
    access_mode: 'read_and_write',
    writes: 'write_through',
  });
  const second = await runTo(null, await open(), 2);
  expect(second.counts).toMatchObject({ ahead: 2, pushed: 1, local_only: 1, conflicts_removed: 0 });
  const resolved = (await house.events('conflict.resolved')).map(({ data }) => [data.paths, data.keep]);
  expect(resolved).toEqual([
    [[path, 'bifrost/c'], 'local'],
    [['bifrost/b'], 'local'],
  ]);
  const third = await runTo(null, await open(), 2);
  expect(third.counts).toMatchObject({ discovered: 2, unchanged: 2, pushed: 1 });
  expect(house.vault.kv('secret').get('bifrost/b')?.version).toBe(1);
  expect(house.vault.kv('secret').get(path)?.version).toBe(3);
});
