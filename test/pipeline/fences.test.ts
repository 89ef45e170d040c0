import { addsUp, type CycleCounts } from '@keyferry/core';
import { replayFailure, requestSync, runJob, type Services } from '@keyferry/pipeline';
import {
  claimShard,
  claimStage,
  type Dispatch,
  expectedJobs,
  holdShard,
  listFailures,
  Overtaken,
  settleShard,
} from '@keyferry/store';
import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

/** Invariant 4: a job can run twice, or in two workers at once; what lands is as if it ran once. */

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

function seed(count: number) {
  house.vault.kv('secret').seed(count, (index) => ({ path: `bifrost/k${index}`, data: { value: `v${index}` } }));
}

/** The jobs of the shards that wait for a worker. */
async function releasedShards(cycleId: string): Promise<Dispatch[]> {
  const jobs = await house.read((tx) => expectedJobs(tx, new Date(8.64e15)));
  return jobs.filter((job) => job.cycle_id === cycleId).map(({ attempts: _, ...job }) => job);
}

/** Opens a cycle whose jobs nobody runs but the test. */
async function openByHand(): Promise<Dispatch> {
  await house.stopWorkers();
  const backend = await house.addBackend();
  const { id } = await requestSync(house.services, {
    tenantId: house.tenantId,
    backend: backend.id,
    requestedBy: 'test',
  });
  return { tenant_id: house.tenantId, cycle_id: id, stage: 'discover', shard: -1, dispatch: 1 };
}

/** Runs a cycle by hand up to its shards, and returns their jobs. */
async function toShards(): Promise<Dispatch[]> {
  const first = await openByHand();
  await house.run(first);
  await house.run({ ...first, stage: 'validate', dispatch: 2 });
  return await releasedShards(first.cycle_id);
}

async function finish(cycleId: string) {
  const cycle = await house.read((tx) =>
    tx.selectFrom('cycles').selectAll().where('id', '=', cycleId).executeTakeFirstOrThrow(),
  );
  const job = { tenant_id: house.tenantId, cycle_id: cycleId, stage: cycle.stage, shard: -1, dispatch: cycle.dispatch };
  if (cycle.state === 'open') {
    await house.run(job);
    await finish(cycleId);
  }
}

test('two shards ending at the same moment: one of them moves the cycle on', async () => {
  seed(1_000);
  const jobs = await toShards();
  expect(jobs).toHaveLength(2);
  const [left, right] = await Promise.all(jobs.map((job) => house.read((tx) => claimShard(tx, job))));
  const settled = { left: [], counts: { added: 500 }, calls: {}, now: house.clock.now() };
  // Both have settled their shard before either commits.
  const bothHere = barrier(2);
  const next = await Promise.all(
    [left, right].map((shard) =>
      house.read(async (tx) => {
        await holdShard(tx, shard as never);
        await bothHere();
        return await settleShard(tx, shard as never, settled);
      }),
    ),
  );
  expect(next.flat()).toMatchObject([{ stage: 'deprecate' }]);
});

test('a claim between another worker’s check and its commit waits for the commit', async () => {
  seed(10);
  const [job] = await toShards();
  const first = await house.read((tx) => claimShard(tx, job as Dispatch));
  let claimed = false;
  let stealing: Promise<unknown> = Promise.resolve();
  await house.read(async (tx) => {
    await holdShard(tx, first as never);
    stealing = house
      .read((other) => claimShard(other, job as Dispatch))
      .then((shard) => {
        claimed = true;
        return shard;
      });
    // The claim is on its way to Postgres and blocked there when the checker commits.
    await waitForLockWait();
    expect(claimed).toBe(false);
    await settleShard(tx, first as never, { left: [], counts: { added: 10 }, calls: {}, now: house.clock.now() });
  });
  expect(await stealing).toBeNull();
});

test('a large backend has a few shards in the queue at a time, and each that ends lets the next in', async () => {
  seed(3_000);
  const [first] = await toShards();
  const cycleId = (first as Dispatch).cycle_id;
  const shards = async () => (await releasedShards(cycleId)).map((job) => job.shard).sort();
  expect(await shards()).toEqual([0, 1, 2, 3]);
  await house.run(first as Dispatch);
  expect(await shards()).toEqual([1, 2, 3, 4]);
});

test('a worker that was overtaken writes nothing', async () => {
  seed(10);
  const [job] = await toShards();
  const first = await house.read((tx) => claimShard(tx, job as Dispatch));
  await house.read((tx) => claimShard(tx, job as Dispatch));
  await expect(house.read((tx) => holdShard(tx, first as never))).rejects.toBeInstanceOf(Overtaken);
  const settle = () =>
    house.read((tx) => settleShard(tx, first as never, { left: [], counts: {}, calls: {}, now: house.clock.now() }));
  await expect(settle()).rejects.toBeInstanceOf(Overtaken);
});

test('a job that runs twice at once, in every stage, lands once', async () => {
  seed(600);
  const first = await openByHand();
  const twice = (job: Dispatch) => Promise.all([house.run(job), house.run(job)]);
  await twice(first);
  await twice({ ...first, stage: 'validate', dispatch: 2 });
  for (const job of await releasedShards(first.cycle_id)) await twice(job);
  const cycle = () =>
    house.read((tx) => tx.selectFrom('cycles').selectAll().where('id', '=', first.cycle_id).executeTakeFirstOrThrow());
  expect(await cycle()).toMatchObject({ stage: 'deprecate' });
  await twice({ ...first, stage: 'deprecate', dispatch: (await cycle()).dispatch });
  await twice({ ...first, stage: 'notify', dispatch: (await cycle()).dispatch });
  const ended = await cycle();
  expect(ended).toMatchObject({ state: 'completed', counts: { discovered: 600, added: 600 } });
  expect(await house.keys()).toHaveLength(600);
  expect(await house.events('federation.sync.completed')).toHaveLength(1);
  const created = (await house.events('keys.created')).flatMap((event) => event.data.paths);
  expect(created).toHaveLength(600);
});

test('a validation that is cut off and run again settles what it would have settled at once', async () => {
  seed(600);
  const secrets = house.vault.kv('secret');
  secrets.put('bifrost/..', { value: 'x' });
  secrets.put(`bifrost/${'é'.normalize('NFC')}`, { value: 'x' });
  secrets.put(`bifrost/${'é'.normalize('NFD')}`, { value: 'x' });
  const first = await openByHand();
  await house.run(first);
  const validation: Dispatch = { ...first, stage: 'validate', dispatch: 2 };
  // The first run loses its lock after its first shard, which has one of two names that are alike; the second has the other.
  const { signal } = new AbortController();
  let shards = 0;
  signal.throwIfAborted = () => {
    if (++shards > 1) throw new Error('lock lost');
  };
  await expect(house.run(validation, signal)).rejects.toThrow('lock lost');
  await house.run(validation);
  for (const job of await releasedShards(first.cycle_id)) await house.run(job);
  await finish(first.cycle_id);
  const [cycle] = await house.read((tx) => tx.selectFrom('cycles').selectAll().execute());
  expect(cycle).toMatchObject({ state: 'completed', counts: { discovered: 603, added: 600, skipped: 3 } });
  expect(addsUp(cycle?.counts as CycleCounts)).toBe(true);
  expect(await house.issues(first.cycle_id)).toHaveLength(3);
});

test('a job of an older dispatch does nothing', async () => {
  seed(3);
  const first = await openByHand();
  expect(await house.read((tx) => claimStage(tx, { ...first, dispatch: 0 }))).toBeNull();
  await house.run({ ...first, dispatch: 0 });
  const cycle = await house.read((tx) => tx.selectFrom('cycles').selectAll().executeTakeFirstOrThrow());
  expect(cycle).toMatchObject({ stage: 'discover', epoch: 0, attempts: 0 });
});

test('a key that somebody changed meanwhile is looked at again, and an older reading never replaces a newer one', async () => {
  seed(2);
  const [job] = await toShards();
  // While the shard holds its readings, another cycle of the backend has written the same keys from newer ones.
  const overtaking: Services = {
    ...house.services,
    keyring: {
      ...house.services.keyring,
      async ofTenant(tenantId) {
        overtaking.keyring = house.services.keyring;
        house.clock.advance(5);
        house.vault.kv('secret').put('bifrost/k0', { value: 'newer' });
        await copyOfShard(job as Dispatch);
        return await house.services.keyring.ofTenant(tenantId);
      },
    },
  };
  await runJob(overtaking, job as Dispatch, new AbortController().signal);
  await finish((job as Dispatch).cycle_id);
  expect(await house.value('bifrost/k0')).toBe('{"value":"newer"}');
  expect(await house.keys()).toHaveLength(2);
});

/** Writes the shard's keys through a second backend row’s worth of work: the same shard, run as a narrowed cycle would. */
async function copyOfShard(job: Dispatch) {
  await house.read(async (tx) => {
    const cycle = await tx.selectFrom('cycles').selectAll().where('id', '=', job.cycle_id).executeTakeFirstOrThrow();
    const narrowed = await tx
      .insertInto('cycles')
      .values({
        tenant_id: cycle.tenant_id,
        backend_id: cycle.backend_id,
        scope: 'narrowed',
        trigger: 'push',
        stage: 'sync',
        dispatched_at: house.clock.now(),
        opened_at: house.clock.now(),
        shards_left: 1,
        shards_total: 1,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await tx
      .insertInto('shards')
      .values({
        cycle_id: narrowed.id,
        tenant_id: cycle.tenant_id,
        number: 0,
        released: true,
        dispatch: 1,
        refs: JSON.stringify([
          ['bifrost/k0', 'bifrost/k0'],
          ['bifrost/k1', 'bifrost/k1'],
        ]),
        dispatched_at: house.clock.now(),
      })
      .execute();
    job = { ...job, cycle_id: narrowed.id, shard: 0, dispatch: 1 };
  });
  await house.run(job);
}

test('a key that was changed between a shard’s look and its write is looked at again', async () => {
  seed(2);
  const backend = await house.addBackend({ conflict_policy: 'manual' });
  await house.cycle(backend);
  house.clock.advance(5);
  house.vault.kv('secret').put('bifrost/k0', { value: 'remote' });
  await house.stopWorkers();
  const { id } = await requestSync(house.services, {
    tenantId: house.tenantId,
    backend: backend.id,
    requestedBy: 'test',
  });
  const first = { tenant_id: house.tenantId, cycle_id: id, stage: 'discover' as const, shard: -1, dispatch: 1 };
  await house.run(first);
  await house.run({ ...first, stage: 'validate', dispatch: 2 });
  const [job] = await releasedShards(id);
  let syncing: Promise<void> = Promise.resolve();
  // Somebody writes the key here, in a transaction that is open while the shard looks and decides.
  await house.read(async (tx) => {
    await tx
      .updateTable('keys')
      .set({ local_digest: Buffer.alloc(32, 1), row_version: 2 })
      .where('remote_path', '=', 'bifrost/k0')
      .execute();
    syncing = house.run(job as Dispatch);
    await waitForLockWait();
  });
  await syncing;
  await finish(id);
  const [cycle] = await house.read((tx) => tx.selectFrom('cycles').select('counts').where('id', '=', id).execute());
  expect(cycle?.counts).toMatchObject({ unchanged: 1, conflicting: 1, updated: 0 });
  expect(await house.value('bifrost/k0')).toBe('{"value":"v0"}');
});

test('a shard that gives up fails its cycle, is listed, and is resumed by a replay', async () => {
  seed(600);
  const backend = await house.addBackend();
  const fault = house.vault.faults.inject({
    effect: { kind: 'status', status: 503, body: { errors: ['x'] } },
    path: 'secret/data/bifrost/*',
    skip: 300,
  });
  const probes = house.vault.faults.inject({
    effect: { kind: 'status', status: 503, body: { errors: ['x'] } },
    path: 'sys/internal/*',
    skip: 1,
  });
  const failed = await house.cycle(backend);
  expect(failed).toMatchObject({ state: 'failed', error_code: 'vault_unavailable', error_class: 'unavailable' });
  expect(addsUp(failed.counts as CycleCounts)).toBe(true);
  expect(failed.counts.failed).toBeGreaterThan(0);
  const named = await house.issues(failed.id);
  expect(named).toHaveLength(failed.counts.failed as number);
  const failures = await house.read((tx) => listFailures(tx, { limit: 10 }));
  expect(failures.every((failure) => failure.state === 'failed' && failure.class === 'unavailable')).toBe(true);

  fault.remove();
  probes.remove();
  const { cycle, resumed } = await replayFailure(house.services, {
    tenantId: house.tenantId,
    failureId: failures[0]?.id ?? '',
    requestedBy: 'ann',
  });
  expect({ resumed, id: cycle.id }).toEqual({ resumed: true, id: failed.id });
  const ended = await house.ended(cycle.id);
  expect(ended).toMatchObject({ state: 'completed', issues: 0, counts: { discovered: 600, added: 600, failed: 0 } });
  expect(await house.issues(cycle.id)).toEqual([]);
  expect(await house.keys()).toHaveLength(600);
});

test('replay after a newer cycle opens a new one that names the cycle it replays', async () => {
  seed(20);
  const backend = await house.addBackend();
  house.vault.seal();
  const failed = await house.cycle(backend);
  house.vault.unseal();
  await house.cycle(backend);
  const [failure] = await house.read((tx) => listFailures(tx, { limit: 10 }));
  const replayed = await replayFailure(house.services, {
    tenantId: house.tenantId,
    failureId: failure?.id ?? '',
    requestedBy: 'ann',
  });
  expect(replayed).toMatchObject({ resumed: false, cycle: { trigger: 'replay', replay_of: failed.id } });
  expect(await house.ended(replayed.cycle.id)).toMatchObject({ state: 'completed', counts: { unchanged: 20 } });
  expect(await house.read((tx) => listFailures(tx, { limit: 10 }))).toEqual([]);
});

test('replaying twice opens one cycle', async () => {
  seed(5);
  const backend = await house.addBackend();
  house.vault.seal();
  await house.cycle(backend);
  const [failure] = await house.read((tx) => listFailures(tx, { limit: 10 }));
  const replay = () =>
    replayFailure(house.services, { tenantId: house.tenantId, failureId: failure?.id ?? '', requestedBy: 'ann' });
  const replayed = await Promise.all([replay(), replay()]);
  expect(new Set(replayed.map(({ cycle }) => cycle.id)).size).toBe(1);
});

/** Resolves for everyone once `count` have come. */
function barrier(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let here = 0;
  return () => {
    if (++here === count) resolve();
    return promise;
  };
}

/** Returns once a connection of this database waits for a lock. The owner alone sees what others wait for. */
async function waitForLockWait() {
  const client = new pg.Client({ connectionString: house.database.ownerUrl });
  await client.connect();
  await vi.waitUntil(async () => {
    const { rowCount } = await client.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return rowCount !== 0;
  });
  await client.end();
}
