import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type FailureClass, vaultFailure } from '@keyferry/core';
import { redisUrl } from '@keyferry/testing/support/redis.ts';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { createBreaker } from '../src/breaker.ts';
import { defaultLimits } from '../src/limits.ts';
import { AdaptiveSlots } from '../src/slots.ts';
import { createTokenBucket } from '../src/token-bucket.ts';
import { backendOf, fetchAll, named, patient, startPool, startVault } from './harness.ts';

let buckets = 0;

async function openRedis(): Promise<Redis> {
  const redis = new Redis(redisUrl(), { maxRetriesPerRequest: 1, enableOfflineQueue: false });
  onTestFinished(() => redis.disconnect());
  await new Promise((resolve) => redis.once('ready', resolve));
  return redis;
}

/** How many tokens can be taken before the signal ends the waiting. */
async function takeUntil(bucket: ReturnType<typeof createTokenBucket>, signal: AbortSignal): Promise<number> {
  let taken = 0;
  try {
    for (;;) {
      await bucket.take(signal);
      taken++;
    }
  } catch {
    return taken;
  }
}

test('processes that share a bucket take no more of it together than one would', async () => {
  const redis = await openRedis();
  const key = `test:rate:${process.pid}:${buckets++}`;
  const quota = { calls: 100, seconds: 1 };
  const one = createTokenBucket({ redis, key, quota, now: Date.now });
  const other = createTokenBucket({ redis, key, quota, now: Date.now });
  // A window is a second long: in this time at most two of them begin.
  const signal = AbortSignal.timeout(600);
  const taken = await Promise.all([takeUntil(one, signal), takeUntil(other, signal)]);
  expect(taken[0] + taken[1]).toBeGreaterThanOrEqual(100);
  expect(taken[0] + taken[1]).toBeLessThanOrEqual(200);
  expect(Math.min(...taken)).toBeGreaterThan(0);
});

test('a pause holds for whoever shares the bucket', async () => {
  const redis = await openRedis();
  const key = `test:rate:${process.pid}:${buckets++}`;
  const quota = { calls: 100, seconds: 1 };
  const one = createTokenBucket({ redis, key, quota, now: Date.now });
  const other = createTokenBucket({ redis, key, quota, now: Date.now });
  await one.pause(60_000);
  expect(await takeUntil(other, AbortSignal.timeout(50))).toBe(0);
});

test('a shorter pause does not end a longer one', async () => {
  const redis = await openRedis();
  const key = `test:rate:${process.pid}:${buckets++}`;
  const quota = { calls: 100, seconds: 1 };
  const one = createTokenBucket({ redis, key, quota, now: Date.now });
  await one.pause(60_000);
  await createTokenBucket({ redis, key, quota, now: Date.now }).pause(1_000);
  expect(await redis.pttl(key)).toBeGreaterThan(50_000);
});

test('a Redis that swallows what it is asked costs a moment, and the limit is kept without it', async () => {
  const { hostname, port: target } = new URL(redisUrl());
  const clients: [Socket, Socket][] = [];
  const server = createServer((client) => {
    const upstream = connect(Number(target), hostname);
    client.pipe(upstream).pipe(client);
    clients.push([client, upstream]);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const through = Object.assign(new URL(redisUrl()), { hostname: '127.0.0.1', port: String(port) });
  const redis = new Redis(through.href);
  onTestFinished(() => {
    redis.disconnect();
    for (const sockets of clients) for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(redis, 'ready');
  for (const [client, upstream] of clients) client.unpipe(upstream);
  const bucket = createTokenBucket({ redis, key: 'hanging', quota: { calls: 50, seconds: 1 }, now: Date.now });
  expect(await takeUntil(bucket, AbortSignal.timeout(600))).toBeGreaterThanOrEqual(50);
});

test('without Redis a process keeps to the limit by itself', async () => {
  const redis = await openRedis();
  redis.disconnect();
  const quota = { calls: 20, seconds: 1 };
  const bucket = createTokenBucket({ redis, key: 'away', quota, now: Date.now });
  const taken = await takeUntil(bucket, AbortSignal.timeout(300));
  expect(taken).toBeGreaterThanOrEqual(20);
  expect(taken).toBeLessThanOrEqual(40);
});

test('a limit of so many a minute is spread over its seconds', async () => {
  const bucket = createTokenBucket({ redis: undefined, key: 'k', quota: { calls: 600, seconds: 60 }, now: Date.now });
  const taken = await takeUntil(bucket, AbortSignal.timeout(300));
  expect(taken).toBeLessThanOrEqual(20);
});

test('slots halve when the vault throttles, once for those that were under way, and grow back by one a round', async () => {
  let now = 0;
  const slots = new AdaptiveSlots(32, () => now);
  for (let call = 0; call < 32; call++) slots.throttled();
  expect(slots.limit).toBe(16);
  now += 1_000;
  slots.throttled();
  expect(slots.limit).toBe(8);
  for (let call = 0; call < 9; call++) slots.succeeded();
  expect(slots.limit).toBe(9);
  for (let call = 0; call < 10_000; call++) slots.succeeded();
  expect(slots.limit).toBe(32);
  for (let time = 0; time < 20; time++) {
    now += 1_000;
    slots.throttled();
  }
  expect(slots.limit).toBe(1);
});

test('no more run at a time than there are slots, and those that wait come next', async () => {
  const slots = new AdaptiveSlots(4, () => 0);
  let running = 0;
  let most = 0;
  const releases: (() => void)[] = [];
  const calls = Array.from({ length: 10 }, async () => {
    await slots.take();
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => releases.push(resolve));
    running--;
    slots.give();
  });
  expect(slots.room).toBe(0);
  for (let call = 0; call < 10; call++) {
    await expect.poll(() => releases.length).toBeGreaterThan(0);
    releases.shift()?.();
  }
  await Promise.all(calls);
  expect(most).toBe(4);
  expect(slots.room).toBe(4);
});

test('a vault that fails many times in a row is let alone, and asked by one call first when the time is over', async () => {
  const limits = { ...defaultLimits, breakerFailures: 3, breakerOpenMs: 20, breakerOpenMaxMs: 20 };
  const breaker = createBreaker(limits);
  let asked = 0;
  let up = false;
  const call = () =>
    breaker
      .execute(async () => {
        asked++;
        if (!up) throw vaultFailure('unavailable', 'away');
        return 'ok';
      })
      .catch((error: unknown) => error);
  for (let time = 0; time < 10; time++) await call();
  expect(asked).toBe(3);
  expect(await call()).toMatchObject({ code: 'vault_suspended', failureClass: 'unavailable', retryAfterMs: 20 });
  up = true;
  await expect.poll(call).toBe('ok');
  expect(asked).toBe(4);
});

test('refusals and throttled calls are answers: they open no breaker, and end a row of failures', async () => {
  const breaker = createBreaker({ ...defaultLimits, breakerFailures: 3 });
  const fail = (failureClass: FailureClass) =>
    breaker.execute(() => Promise.reject(vaultFailure(failureClass, 'no'))).catch((error: unknown) => error);
  for (let time = 0; time < 5; time++)
    for (const failureClass of ['unavailable', 'timeout', 'forbidden', 'throttled', 'not_found'] as const)
      expect(await fail(failureClass)).toMatchObject({ code: `vault_${failureClass}` });
});

test('whoever gives up on the call that finds out has not found out that the vault is back', async () => {
  const limits = { ...defaultLimits, breakerFailures: 2, breakerOpenMs: 5, breakerOpenMaxMs: 5 };
  const breaker = createBreaker(limits);
  let asked = 0;
  const call = (error: Error) =>
    breaker
      .execute(() => {
        asked++;
        return Promise.reject(error);
      })
      .catch((failure: unknown) => failure);
  for (let time = 0; time < 3; time++) await call(vaultFailure('unavailable', 'away'));
  const gaveUp = new Error('enough');
  await expect.poll(() => call(gaveUp)).toBe(gaveUp);
  expect(asked).toBe(3);
  expect(await call(vaultFailure('unavailable', 'away'))).toMatchObject({ code: 'vault_suspended' });
});

test('a backend whose vault is away is asked no more often than its breaker lets', async () => {
  const vault = await startVault();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  vault.faults.inject({ effect: { kind: 'status', status: 503 } });
  const pool = startPool({ attempts: 2, parallelism: 1, breakerFailures: 10, breakerOpenMs: 60_000 });
  const connection = await pool.open(backendOf(vault));
  const found = Object.values(await fetchAll(connection, named(200)));
  expect(vault.requests.total).toBe(10);
  expect(new Set(found)).toEqual(new Set(['vault_unavailable', 'vault_suspended']));
});

test('Retry-After of one call is kept by all calls of the connection', async () => {
  const vault = await startVault();
  const kv = vault.mounts.enable('secret', { type: 'kv', version: 2 });
  for (const path of named(20)) kv.put(path, { value: 'x' });
  const pool = startPool({ parallelism: 1, retryAfterCapMs: 3_600_000 });
  const connection = await pool.open(backendOf(vault));
  await connection.confirm('key-0', patient);
  const effect = { kind: 'status', status: 429, headers: { 'retry-after': '3600' } } as const;
  vault.faults.inject({ effect, path: 'secret/data/*', times: 1 });
  const stop = new AbortController();
  const first = fetchAll(connection, named(1), stop.signal);
  first.catch(() => {});
  await expect.poll(() => vault.requests.all.at(-1)?.status).toBe(429);
  const asked = vault.requests.total;
  const others = fetchAll(connection, named(20), stop.signal);
  others.catch(() => {});
  await expect(Promise.race([others, new Promise((_, reject) => setImmediate(reject, 'still waiting'))])).rejects.toBe(
    'still waiting',
  );
  stop.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  await expect(others).rejects.toThrow('enough');
  expect(vault.requests.total).toBe(asked);
});
