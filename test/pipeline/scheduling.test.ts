import { claimDue, prune } from '@keyferry/pipeline';
import { jobIdOf, openRedis } from '@keyferry/queue';
import { lastEventPosition, moveNotificationCursor, openStore } from '@keyferry/store';
import { Queue } from 'bullmq';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { redisUrl } from '../support/redis.ts';

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

const backends = () => house.read((tx) => tx.selectFrom('backends').selectAll().orderBy('created_at').execute());
const cycles = () => house.read((tx) => tx.selectFrom('cycles').selectAll().orderBy('opened_at').execute());

async function addMany(count: number) {
  for (let index = 0; index < count; index++)
    await house.addBackend({ path_mapping: [{ from: `b${index}/**`, to: 'bifrost/**' }] });
}

test('a new backend is due at once, and then at its own place in every interval', async () => {
  await house.addBackend();
  expect(await house.claimDue()).toBe(1);
  const [cycle] = await cycles();
  await house.ended(cycle?.id ?? '');
  const due: number[] = [];
  for (let round = 0; round < 3; round++) {
    const [backend] = await backends();
    const next = backend?.next_sync_at.getTime() ?? 0;
    due.push(next);
    house.clock.advance((next - house.clock.now().getTime()) / 1000 - 1);
    expect(await house.claimDue()).toBe(0);
    house.clock.advance(1);
    expect(await house.claimDue()).toBe(1);
    for (const open of await cycles()) await house.ended(open.id);
  }
  expect((due[1] as number) - (due[0] as number)).toBe(300_000);
  expect((due[2] as number) - (due[1] as number)).toBe(300_000);
});

test('a backend has one full cycle at a time, and is not claimed while it is open', async () => {
  await house.stopWorkers();
  await house.addBackend();
  expect(await house.claimDue()).toBe(1);
  house.clock.advance(3600);
  expect(await house.claimDue()).toBe(0);
  expect(await cycles()).toHaveLength(1);
});

test('two schedulers that claim at the same moment open each cycle once', async () => {
  await house.stopWorkers();
  await addMany(30);
  const second = { ...house.services, store: openStore({ connectionString: house.database.url }) };
  const claimed = await Promise.all([
    claimDue(house.services),
    claimDue(second),
    claimDue(house.services),
    claimDue(second),
  ]);
  await second.store.close();
  expect(claimed.reduce((sum, count) => sum + count, 0)).toBe(30);
  expect(await cycles()).toHaveLength(30);
});

test('after a stop, what is overdue is spread over the window, and nothing is forgotten', async () => {
  await addMany(40);
  await house.claimDue();
  for (const cycle of await cycles()) await house.ended(cycle.id);
  house.clock.advance(6 * 3600);
  expect(await house.claimDue()).toBeLessThan(5);
  const now = house.clock.now().getTime();
  const waits = (await backends()).map((backend) => (backend.next_sync_at.getTime() - now) / 1000);
  expect(Math.max(...waits)).toBeLessThanOrEqual(300);
  const byMinute = new Set(waits.map((wait) => Math.floor(wait / 60)));
  expect(byMinute.size).toBe(5);
  let claimed = 0;
  for (let second = 0; second <= 300; second += 5) {
    house.clock.advance(5);
    claimed += await house.claimDue();
  }
  for (const cycle of await cycles()) await house.ended(cycle.id);
  expect(
    new Set((await cycles()).filter((cycle) => cycle.opened_at.getTime() >= now).map((cycle) => cycle.backend_id)).size,
  ).toBe(40);
  expect(claimed).toBeGreaterThanOrEqual(36);
});

test('a vault that is down is asked less and less often, up to five minutes', async () => {
  const backend = await house.addBackend({ sync_interval_seconds: 10 });
  house.vault.seal();
  const waits: number[] = [];
  for (let failures = 0; failures < 7; failures++) {
    await house.cycle(backend);
    const [row] = await backends();
    waits.push(((row?.next_sync_at.getTime() ?? 0) - house.clock.now().getTime()) / 1000);
  }
  expect(waits.map(Math.round)).toEqual([20, 40, 80, 160, 300, 300, 300]);
  house.vault.unseal();
  await house.cycle(backend);
  expect(((await backends())[0]?.next_sync_at.getTime() ?? 0) - house.clock.now().getTime()).toBeLessThanOrEqual(
    10_000,
  );
});

test('a paused backend and a removed one are not due', async () => {
  await house.addBackend({ state: 'paused' });
  const removed = await house.addBackend({ path_mapping: [{ from: 'x/**', to: 'bifrost/**' }] });
  await house.read((tx) => tx.updateTable('backends').set({ state: 'removed' }).where('id', '=', removed.id).execute());
  expect(await house.claimDue()).toBe(0);
});

test('reconcile leaves a live job alone, and dispatches one that Redis lost under a new dispatch', async () => {
  await house.stopWorkers();
  await house.addBackend();
  await house.claimDue();
  expect(await house.reconcile()).toBe(0);
  const [cycle] = await cycles();
  const job = {
    tenant_id: house.tenantId,
    cycle_id: cycle?.id ?? '',
    stage: 'discover' as const,
    shard: -1,
    dispatch: 1,
  };
  house.clock.advance(1);
  expect(await house.services.queues.lost([job])).toEqual([]);
  await removeFromRedis(jobIdOf(job));
  expect(await house.reconcile()).toBe(1);
  expect((await cycles())[0]).toMatchObject({ dispatch: 2, attempts: 0 });
  expect(await house.services.queues.lost([{ ...job, dispatch: 2 }])).toEqual([]);
  house.clock.advance(1);
  expect(await house.reconcile()).toBe(0);
});

test('a stage that was begun again and again and never ended fails its cycle', async () => {
  await house.stopWorkers();
  await house.addBackend();
  await house.claimDue();
  await house.read((tx) => tx.updateTable('cycles').set({ attempts: 4 }).execute());
  const [cycle] = await cycles();
  await removeFromRedis(`${cycle?.id}.discover.all.1`);
  house.clock.advance(1);
  await house.reconcile();
  expect((await cycles())[0]).toMatchObject({ state: 'failed', error_code: 'cycle_exhausted' });
  expect(await house.events('federation.sync.failed')).toHaveLength(1);
});

/** As if Redis had forgotten the job. */
async function removeFromRedis(jobId: string) {
  const redis = openRedis(redisUrl(), 'consumer', () => {});
  const queue = new Queue('discover', { connection: redis, prefix: house.prefix });
  expect(await queue.remove(jobId)).toBe(1);
  await queue.close();
  redis.disconnect();
}

test('cycles in which nothing happened are dropped after a day, others after thirty, delivered events after seven', async () => {
  house.vault.kv('secret').put('bifrost/a', { value: 'a' });
  const backend = await house.addBackend();
  await house.cycle(backend);
  await house.cycle(backend);
  await house.read((tx) => tx.updateTable('outbox').set({ delivered_at: house.clock.now() }).execute());
  await house.read(async (tx) => moveNotificationCursor(tx, house.tenantId, await lastEventPosition(tx)));
  house.clock.advance(24 * 3600 + 1);
  await prune(house.services);
  expect((await cycles()).map((cycle) => cycle.counts.added)).toEqual([1]);
  expect(await house.events()).toHaveLength(3);
  house.clock.advance(6 * 24 * 3600);
  await prune(house.services);
  expect(await cycles()).toHaveLength(1);
  expect(await house.events()).toEqual([]);
  house.clock.advance(23 * 24 * 3600);
  await prune(house.services);
  expect(await cycles()).toEqual([]);
});
