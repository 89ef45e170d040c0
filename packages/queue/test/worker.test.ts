import { randomUUID } from 'node:crypto';
import type { Stage } from '@keyferry/core';
import { newQueuePrefix, redisUrl } from '@keyferry/testing/support/redis.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  createQueues,
  jobIdOf,
  openRedis,
  type Queues,
  type Redis,
  type StageJob,
  startWorkers,
  type WorkerPool,
} from '../src/index.ts';

let prefix: string;
let producer: Redis;
let consumer: Redis;
let queues: Queues;
let pool: WorkerPool | null = null;

beforeEach(async () => {
  prefix = newQueuePrefix();
  producer = openRedis(redisUrl(), 'producer', () => {});
  await vi.waitUntil(() => producer.status === 'ready');
  consumer = openRedis(redisUrl(), 'consumer', () => {});
  queues = createQueues(producer, prefix);
});
afterEach(async () => {
  await pool?.drain(0);
  pool = null;
  await queues.close();
  producer.disconnect();
  consumer.disconnect();
});

const newJob = (stage: Stage = 'discover'): StageJob => ({
  tenant_id: randomUUID(),
  cycle_id: randomUUID(),
  stage,
  shard: -1,
  dispatch: 1,
});

function work(
  run: (job: StageJob, signal: AbortSignal) => Promise<void>,
  options: { lockMs?: number; only?: Stage } = {},
) {
  const concurrency = { discover: 2, validate: 2, sync: 2, deprecate: 2, notify: 2 };
  if (options.only)
    for (const stage of Object.keys(concurrency) as Stage[]) if (stage !== options.only) concurrency[stage] = 0;
  pool = startWorkers({
    redis: consumer,
    prefix,
    concurrency,
    run,
    onError: () => {},
    now: Date.now,
    ...(options.lockMs && { lockMs: options.lockMs }),
  });
}

test('a job that has lost its lock gets its signal aborted', async () => {
  const aborted = Promise.withResolvers<string>();
  const begun = Promise.withResolvers<void>();
  work(
    (_job, signal) =>
      new Promise((resolve) => {
        begun.resolve();
        signal.addEventListener('abort', () => {
          aborted.resolve('aborted');
          resolve();
        });
      }),
    { lockMs: 400 },
  );
  const job = newJob();
  await queues.enqueue([job]);
  await begun.promise;
  await producer.del(`${prefix}:discover:${jobIdOf(job)}:lock`);
  expect(await aborted.promise).toBe('aborted');
});

test('draining waits for running jobs, and aborts those that outlive the grace', async () => {
  const begun = Promise.withResolvers<void>();
  let aborted = false;
  work(
    (_job, signal) =>
      new Promise((resolve) => {
        begun.resolve();
        signal.addEventListener('abort', () => {
          aborted = true;
          resolve();
        });
      }),
  );
  await queues.enqueue([newJob()]);
  await begun.promise;
  await pool?.drain(10);
  pool = null;
  expect(aborted).toBe(true);
});

test('a job that fails leaves nothing of its error in Redis, and counts as lost', async () => {
  const failed = Promise.withResolvers<void>();
  work(async () => {
    failed.resolve();
    throw new Error('hvs.a-token-in-an-error');
  });
  const job = newJob();
  await queues.enqueue([job]);
  await failed.promise;
  await vi.waitUntil(async () => (await queues.lost([job])).length === 1);
  const stored = JSON.stringify(await producer.hgetall(`${prefix}:discover:${jobIdOf(job)}`));
  expect(stored).toContain('The job failed.');
  expect(stored).not.toContain('hvs.');
});

test('a job that waits, is delayed or runs is not lost; one that ended or never was is', async () => {
  const [waiting, delayed, never] = [newJob(), newJob(), newJob()];
  await queues.enqueue([waiting]);
  await queues.enqueue([delayed], 60_000);
  expect(await queues.lost([waiting, delayed, never])).toEqual([never]);
  const release = Promise.withResolvers<void>();
  work(() => release.promise);
  await vi.waitUntil(async () => (await producer.llen(`${prefix}:discover:active`)) === 1);
  expect(await queues.lost([waiting])).toEqual([]);
  release.resolve();
  await vi.waitUntil(async () => (await queues.lost([waiting])).length === 1);
});

test('a stage set to no concurrency is left to other pools', async () => {
  const ran: Stage[] = [];
  const done = Promise.withResolvers<void>();
  work(
    async (job) => {
      ran.push(job.stage);
      done.resolve();
    },
    { only: 'sync' },
  );
  await queues.enqueue([newJob('discover'), newJob('sync')]);
  await done.promise;
  expect(ran).toEqual(['sync']);
  const ages = await queues.oldestWaitingMs(Date.now() + 5_000);
  expect(ages.discover).toBeGreaterThanOrEqual(5_000);
  expect(ages.sync).toBe(0);
});

test('enqueueing fails at once while Redis is away', async () => {
  const away = openRedis('redis://127.0.0.1:1', 'producer', () => {});
  const unreachable = createQueues(away, prefix);
  await expect(unreachable.enqueue([newJob()])).rejects.toMatchObject({ code: 'redis_unavailable' });
  away.disconnect();
});

test('job ids tell cycle, stage, shard and dispatch apart', () => {
  const job = newJob('sync');
  expect(jobIdOf(job)).toBe(`${job.cycle_id}.sync.all.1`);
  expect(jobIdOf({ ...job, shard: 3, dispatch: 2 })).toBe(`${job.cycle_id}.sync.3.2`);
});
