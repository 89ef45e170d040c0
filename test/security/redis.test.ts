import { randomUUID } from 'node:crypto';
import { createQueues, openRedis, type StageJob } from '@keyferry/queue';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { redisUrl } from '../support/redis.ts';

/** What whoever can write to Redis, but not to Postgres, gets: work that isn't there, and nothing else. */

let house: House;
beforeEach(async () => {
  house = await openHouse();
  house.vault.kv('secret').put('bifrost/one', { value: 'first' });
});
afterEach(() => house.close());

/** Puts jobs into Redis as a stranger would, and waits until the workers have taken all of them. */
async function forge(jobs: readonly StageJob[]) {
  const redis = openRedis(redisUrl(), 'producer', () => {});
  await vi.waitUntil(() => redis.status === 'ready');
  const queues = createQueues(redis, house.prefix);
  try {
    await queues.enqueue(jobs);
    await vi.waitFor(async () => expect(await queues.lost(jobs)).toHaveLength(jobs.length), { timeout: 10_000 });
  } finally {
    await queues.close();
    redis.disconnect();
  }
}

const everything = async () => ({
  keys: await house.keys(),
  events: await house.events(),
  cycles: await house.read((tx) => tx.selectFrom('cycles').selectAll().orderBy('id').execute()),
});

test('forged jobs change nothing, and the workers go on', async () => {
  const backend = await house.addBackend();
  const { id } = await house.cycle(backend);
  const before = await everything();
  const job: StageJob = { tenant_id: house.tenantId, cycle_id: id, stage: 'deprecate', shard: -1, dispatch: 1 };
  await forge([
    // A cycle that is over, again, at any of its stages.
    ...[1, 2, 3, 4, 5].map((dispatch): StageJob => ({ ...job, dispatch })),
    { ...job, stage: 'notify', dispatch: 5 },
    { ...job, stage: 'sync', shard: 0, dispatch: 1 },
    // One that never was, and one of another tenant.
    { ...job, cycle_id: randomUUID() },
    { ...job, tenant_id: randomUUID() },
    // What is no id, and what would be more than one.
    { ...job, tenant_id: `${house.tenantId}'; SET LOCAL keyferry.operator = 'on`, dispatch: 7 },
    { ...job, cycle_id: "' OR true --", dispatch: 8 },
    { ...job, dispatch: 1e30 },
    { ...job, stage: 'sync', shard: 2 ** 53, dispatch: 9 },
  ]);
  expect(await everything()).toEqual(before);

  house.vault.kv('secret').put('bifrost/one', { value: 'second' });
  expect(await house.cycle(backend)).toMatchObject({ state: 'completed' });
  expect(JSON.parse(await house.value('bifrost/one'))).toEqual({ value: 'second' });
});

test('a forged job can’t take a cycle to another stage than the one it is in', async () => {
  await house.stopWorkers();
  const backend = await house.addBackend();
  await house.claimDue();
  const [cycle] = await house.read((tx) => tx.selectFrom('cycles').selectAll().execute());
  expect(cycle).toMatchObject({ backend_id: backend.id, stage: 'discover', dispatch: 1 });
  for (const stage of ['validate', 'deprecate', 'notify'] as const)
    await house.run({
      tenant_id: house.tenantId,
      cycle_id: cycle?.id ?? '',
      stage,
      shard: -1,
      dispatch: 1,
    });
  const [after] = await house.read((tx) => tx.selectFrom('cycles').selectAll().execute());
  expect(after).toEqual(cycle);
});
