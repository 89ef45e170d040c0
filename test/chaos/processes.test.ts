import { addsUp, type CycleCounts } from '@keyferry/core';
import { startVaultEmulator } from '@keyferry/emulators';
import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openSite, type Site } from '../support/site.ts';

/** Real processes that are killed, and real servers that are flushed and restarted, in the middle of a cycle. */

const patience = 90_000;

let site: Site;
beforeEach(async () => {
  site = await openSite();
});
afterEach(() => site.close());

/** The cycle ended right: complete, its counts add up, every key is there, and every event is there once. */
async function expectAllWell(secrets: number) {
  const [cycle] = await site.allEnded(1);
  expect(cycle).toMatchObject({ state: 'completed', counts: { discovered: secrets } });
  expect(addsUp(cycle?.counts as CycleCounts)).toBe(true);
  expect(await site.events('federation.sync.completed')).toHaveLength(1);
  expect(await site.events('federation.sync.failed')).toEqual([]);
  const created = (await site.events('keys.created')).flatMap((event) => event.data.paths as string[]);
  expect(new Set(created).size).toBe(created.length);
  expect(created).toHaveLength(await site.keyCount());
  const ids = (await site.events()).map((event) => event.id);
  await vi.waitFor(async () => {
    const entries = await site.redisClient.xrange('{keyferry}:events', '-', '+');
    const delivered = new Set(entries.map(([, fields]) => JSON.parse(fields[1] as string).id as string));
    if (ids.some((id) => !delivered.has(id))) throw new Error('not every event has been delivered');
    expect(delivered.size).toBe(ids.length);
  });
  return cycle;
}

const seed = (count: number) =>
  site.vault.kv('secret').seed(count, (index) => ({ path: `bifrost/k${index}`, data: { value: `v${index}` } }));

/** Holds a row lock, on which a worker then waits; returns how to let go. */
async function holdRow(query: string, values: unknown[]) {
  const client = new pg.Client({ connectionString: site.postgres.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query(query, values);
  return {
    /** Returns once somebody waits for the row. */
    awaited: () =>
      vi.waitUntil(
        async () => (await client.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).rowCount !== 0,
        { timeout: 20_000, interval: 20 },
      ),
    release: () => client.end(),
  };
}

test('a worker killed with SIGKILL while it discovers', { timeout: patience }, async () => {
  seed(700);
  const hang = site.vault.faults.inject({ effect: { kind: 'hang' }, operation: 'list' });
  await site.addBackend();
  await site.start('scheduler');
  const doomed = await site.start('worker');
  await vi.waitUntil(() => hang.hits > 0, { timeout: 20_000 });
  await doomed.kill();
  hang.remove();
  await site.start('worker');
  await expectAllWell(700);
});

test('a worker killed with SIGKILL while it validates', { timeout: patience }, async () => {
  seed(700);
  // Without a name that can't be carried in both shards there would be nothing to take out.
  for (const name of ['a\n', 'z\n']) site.vault.kv('secret').put(`bifrost/${name}`, { value: 'x' });
  const id = await site.addBackend();
  const slow = site.vault.faults.inject({ effect: { kind: 'slow', delayMs: 300 }, operation: 'list' });
  await site.start('scheduler');
  const doomed = await site.start('worker');
  await vi.waitUntil(() => slow.hits > 0, { timeout: 20_000 });
  // The discover stage inserts its second shard; the validate stage has to update the first, and waits for it.
  const cycle = await site.inStage('discover');
  await vi.waitUntil(
    async () => (await site.read((tx) => tx.selectFrom('shards').select('number').execute())).length > 0,
    { timeout: 20_000, interval: 5 },
  );
  const row = await holdRow('SELECT FROM keyferry.shards WHERE cycle_id = $1 AND number = 0 FOR UPDATE', [cycle.id]);
  await row.awaited();
  expect(id).toBe(cycle.backend_id);
  await site.inStage('validate');
  await doomed.kill();
  await row.release();
  await site.start('worker');
  const ended = await expectAllWell(702);
  expect(ended?.counts).toMatchObject({ added: 700, skipped: 2 });
});

test('a worker killed with SIGKILL while it syncs', { timeout: patience }, async () => {
  seed(700);
  const hang = site.vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/data/*', skip: 350 });
  await site.addBackend();
  await site.start('scheduler');
  const doomed = await site.start('worker');
  await vi.waitUntil(() => hang.hits > 0, { timeout: 20_000 });
  await doomed.kill();
  hang.remove();
  await site.start('worker');
  await expectAllWell(700);
});

test('a worker killed with SIGKILL while it deprecates', { timeout: patience }, async () => {
  seed(30);
  const id = await site.addBackend();
  await site.start('scheduler');
  const doomed = await site.start('worker');
  await site.allEnded(1);
  for (let index = 0; index < 5; index++) site.vault.kv('secret').deleteMetadata(`bifrost/k${index}`);
  const hang = site.vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/metadata/bifrost/k3' });
  await site.read((tx) => tx.updateTable('backends').set({ next_sync_at: new Date() }).where('id', '=', id).execute());
  await vi.waitUntil(() => hang.hits > 0, { timeout: 20_000 });
  await doomed.kill();
  hang.remove();
  await site.start('worker');
  const cycles = await site.allEnded(2);
  expect(cycles[1]).toMatchObject({ state: 'completed', counts: { discovered: 25, unchanged: 25, deprecated: 5 } });
  const gone = (await site.events('keys.deprecated')).flatMap((event) => event.data.paths);
  expect(gone.sort()).toEqual(['bifrost/k0', 'bifrost/k1', 'bifrost/k2', 'bifrost/k3', 'bifrost/k4']);
});

test('a worker killed with SIGKILL while it notifies', { timeout: patience }, async () => {
  seed(30);
  const id = await site.addBackend();
  await site.start('scheduler');
  const slow = site.vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/data/bifrost/k7' });
  const doomed = await site.start('worker');
  await vi.waitUntil(() => slow.hits > 0, { timeout: 20_000 });
  await doomed.kill();
  slow.remove();
  // Closing the cycle takes the backend's row.
  const second = await site.start('worker', { KEYFERRY_WORKER_CONCURRENCY: 'notify=0' });
  await site.inStage('notify');
  const row = await holdRow('SELECT FROM keyferry.backends WHERE id = $1 FOR UPDATE', [id]);
  const third = await site.start('worker');
  await row.awaited();
  await third.kill();
  await second.kill();
  await row.release();
  await site.start('worker');
  await expectAllWell(30);
});

test('Redis flushed in mid-cycle, with jobs running and jobs waiting', { timeout: patience }, async () => {
  seed(2_600);
  const hang = site.vault.faults.inject({ effect: { kind: 'slow', delayMs: 20 }, path: 'secret/data/*' });
  await site.addBackend();
  await site.start('scheduler');
  await site.start('worker', { KEYFERRY_WORKER_CONCURRENCY: 'sync=1' });
  await vi.waitUntil(() => hang.hits > 600, { timeout: 20_000 });
  await site.redisClient.flushall();
  await expectAllWell(2_600);
});

test('Postgres restarted in mid-cycle', { timeout: patience }, async () => {
  seed(1_300);
  const slow = site.vault.faults.inject({ effect: { kind: 'slow', delayMs: 20 }, path: 'secret/data/*' });
  await site.addBackend();
  await site.start('scheduler');
  await site.start('worker');
  await vi.waitUntil(() => slow.hits > 300, { timeout: 20_000 });
  await site.postgres.restart();
  await expectAllWell(1_300);
});

test('Redis restarted in mid-cycle, empty', { timeout: patience }, async () => {
  seed(1_300);
  const slow = site.vault.faults.inject({ effect: { kind: 'slow', delayMs: 20 }, path: 'secret/data/*' });
  await site.addBackend();
  await site.start('scheduler');
  await site.start('worker');
  await vi.waitUntil(() => slow.hits > 300, { timeout: 20_000 });
  await site.redis.restart();
  await expectAllWell(1_300);
});

test('a job BullMQ gave up as stalled is dispatched again', { timeout: patience }, async () => {
  seed(30);
  const hang = site.vault.faults.inject({ effect: { kind: 'hang' }, operation: 'list' });
  await site.addBackend();
  await site.start('scheduler');
  // BullMQ runs a stalled job again twice; the third time it fails it, without asking anyone.
  for (let deaths = 1; deaths <= 3; deaths++) {
    const doomed = await site.start('worker');
    await vi.waitUntil(() => hang.hits >= deaths, { timeout: 20_000 });
    await doomed.kill();
  }
  hang.remove();
  await site.start('worker');
  const cycle = await expectAllWell(30);
  expect(cycle?.dispatch).toBeGreaterThan(2);
});

test('a worker that is asked to stop ends its job first and exits with 0', { timeout: patience }, async () => {
  seed(300);
  const slow = site.vault.faults.inject({ effect: { kind: 'slow', delayMs: 50 }, path: 'secret/data/*' });
  await site.addBackend();
  const scheduler = await site.start('scheduler');
  const worker = await site.start('worker');
  await vi.waitUntil(() => slow.hits > 20, { timeout: 20_000 });
  expect(await worker.stop()).toBe(0);
  expect(await site.keyCount()).toBe(300);
  expect(await scheduler.stop()).toBe(0);
});

test('two schedulers and three workers with 50 backends: each due cycle ran exactly once', {
  timeout: patience,
}, async () => {
  seed(20);
  const count = 50;
  for (let index = 0; index < count; index++)
    await site.addBackend({ path_mapping: [{ from: `b${index}/**`, to: 'bifrost/**' }] });
  await Promise.all([site.start('scheduler'), site.start('scheduler')]);
  await Promise.all([site.start('worker'), site.start('worker'), site.start('worker')]);

  for (let round = 1; round <= 2; round++) {
    if (round > 1) await site.read((tx) => tx.updateTable('backends').set({ next_sync_at: new Date() }).execute());
    const cycles = await site.allEnded(count * round);
    expect(cycles).toHaveLength(count * round);
    expect(new Set(cycles.map((cycle) => cycle.backend_id)).size).toBe(count);
    expect(cycles.every((cycle) => cycle.state === 'completed' && cycle.trigger === 'schedule')).toBe(true);
    const completed = await site.events('federation.sync.completed');
    expect(new Set(completed.map((event) => event.data.cycle_id)).size).toBe(count * round);
    expect(completed).toHaveLength(count * round);
  }
  expect(await site.keyCount()).toBe(count * 20);
  const created = (await site.events('keys.created')).flatMap((event) => event.data.paths);
  expect(created).toHaveLength(count * 20);
});

test('a vault that hangs keeps no other backend waiting', { timeout: patience }, async () => {
  const stuck = await startVaultEmulator();
  stuck.mounts.enable('secret', { type: 'kv', version: 2 });
  stuck.faults.inject({ effect: { kind: 'hang' } });
  try {
    for (let index = 0; index < 12; index++)
      await site.addBackend({
        config: { address: stuck.url, mount: 'secret' },
        path_mapping: [{ from: `stuck${index}/**`, to: 'bifrost/**' }],
      });
    await site.start('scheduler');
    await site.start('worker');
    await vi.waitUntil(() => stuck.requests.total >= 12, { timeout: 20_000 });
    seed(20);
    for (let index = 0; index < 5; index++)
      await site.addBackend({ path_mapping: [{ from: `b${index}/**`, to: 'bifrost/**' }] });
    await vi.waitUntil(async () => (await site.events('federation.sync.completed')).length === 5, { timeout: 10_000 });
    expect((await site.cycles()).filter((cycle) => cycle.state === 'open')).toHaveLength(12);
  } finally {
    await stuck.close();
  }
});
