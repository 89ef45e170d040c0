import { vaultFailure } from '@keyferry/core';
import { expect, test } from 'vitest';
import { retryDelay } from '../src/call-policy.ts';
import { countCalls, defaultLimits, noCalls } from '../src/index.ts';
import { backendOf, everything, fetchAll, listAll, named, patient, refsOf, startPool, startVault } from './harness.ts';

async function vaultWith(count: number) {
  const vault = await startVault();
  const kv = vault.mounts.enable('secret', { type: 'kv', version: 2 });
  for (const path of named(count)) kv.put(path, { value: 'x' });
  return vault;
}

test('a storm of 429 is waited out', async () => {
  const vault = await vaultWith(60);
  const storm = vault.faults.inject({ effect: { kind: 'status', status: 429 }, every: 3 });
  const connection = await startPool({ attempts: 12 }).open(backendOf(vault));
  expect(await listAll(connection)).toHaveLength(60);
  expect(new Set(Object.values(await fetchAll(connection, named(60))))).toEqual(new Set(['ok']));
  expect(storm.hits).toBeGreaterThan(20);
  expect(connection.statistics.read).toMatchObject({ ok: 60, throttled: expect.any(Number) });
});

test('a connection reset and a vault that is away for a moment are tried again', async () => {
  const vault = await vaultWith(1);
  vault.faults.inject({ effect: { kind: 'reset' }, path: 'secret/data/*', times: 1 });
  vault.faults.inject({ effect: { kind: 'status', status: 503 }, path: 'secret/data/*', times: 1 });
  vault.faults.inject({ effect: { kind: 'truncate' }, path: 'secret/data/*', times: 1 });
  const connection = await startPool({ attempts: 4 }).open(backendOf(vault));
  expect(await fetchAll(connection, named(1))).toEqual({ 'key-0': 'ok' });
  expect(connection.statistics.read).toEqual({ ok: 1, unavailable: 3 });
});

test('attempts are bounded', async () => {
  const vault = await vaultWith(1);
  const fault = vault.faults.inject({ effect: { kind: 'status', status: 503 }, path: 'secret/data/*' });
  const connection = await startPool({ attempts: 3 }).open(backendOf(vault));
  expect(await fetchAll(connection, named(1))).toEqual({ 'key-0': 'vault_unavailable' });
  expect(fault.hits).toBe(3);
});

test.for([
  ['forbidden', { kind: 'status', status: 403 }],
  ['garbage', { kind: 'garbage' }],
  ['not found', { kind: 'status', status: 404, body: { errors: [] } }],
] as const)('%s is not tried again', async ([, effect]) => {
  const vault = await vaultWith(1);
  const fault = vault.faults.inject({ effect: effect as never, path: 'secret/data/*' });
  const connection = await startPool().open(backendOf(vault));
  await fetchAll(connection, named(1));
  expect(fault.hits).toBe(1);
});

test('a vault that hangs is left after the deadline, each attempt anew', async () => {
  const vault = await vaultWith(2);
  const hang = vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/data/key-0' });
  const body = vault.faults.inject({ effect: { kind: 'hang_in_body' }, path: 'secret/data/key-1' });
  const connection = await startPool({ deadlineMs: 50, attempts: 2 }).open(backendOf(vault));
  expect(await fetchAll(connection, named(2))).toEqual({ 'key-0': 'vault_timeout', 'key-1': 'vault_timeout' });
  expect([hang.hits, body.hits]).toEqual([2, 2]);
});

test('an abort ends a call that hangs, and one that waits to be tried again', async () => {
  const vault = await vaultWith(1);
  const reason = new Error('enough');
  for (const effect of [
    { kind: 'hang' },
    { kind: 'status', status: 429, headers: { 'retry-after': '3600' } },
  ] as const) {
    const fault = vault.faults.inject({ effect, path: 'secret/metadata/key-0' });
    const limits = { retryAfterCapMs: 3_600_000 };
    const connection = await startPool(limits).open(backendOf(vault));
    const controller = new AbortController();
    const call = connection.confirm('key-0', controller.signal);
    await expect.poll(() => fault.hits).toBe(1);
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    fault.remove();
    expect(await (await startPool().open(backendOf(vault))).confirm('key-0', patient)).toBe('present');
  }
});

test('a call is not begun under a signal that is aborted', async () => {
  const vault = await vaultWith(1);
  const connection = await startPool().open(backendOf(vault));
  await expect(connection.confirm('key-0', AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
  expect(vault.requests.total).toBe(0);
});

test('the vault never sees more calls at a time than the limit, however many work', async () => {
  const vault = await vaultWith(40);
  vault.setLatency(2);
  let begun = 0;
  let most = 0;
  vault.faults.inject({
    effect: { kind: 'hang' },
    when() {
      begun++;
      most = Math.max(most, begun - vault.requests.total);
      return false;
    },
  });
  const pool = startPool({ parallelism: 5 });
  const users = await Promise.all([1, 2, 3].map(() => pool.open(backendOf(vault))));
  await Promise.all(users.map((connection) => fetchAll(connection, named(40))));
  expect(begun).toBe(1 + 3 * 40);
  expect(most).toBe(5);
});

test('a login does not need a slot that those who wait for it hold', async () => {
  const vault = await vaultWith(10);
  vault.policies.write('reader', { 'secret/data/*': ['read'] });
  vault.auth.enable('approle');
  const role_id = vault.auth.appRole('sync', { policies: ['reader'] });
  const auth = { method: 'approle', role_id, secret_id: vault.auth.secretId('sync') };
  const connection = await startPool({ parallelism: 1 }).open(backendOf(vault, { auth }));
  expect(new Set(Object.values(await fetchAll(connection, named(10))))).toEqual(new Set(['ok']));
  expect(vault.requests.counts.login).toBe(1);
});

test('calls are counted for the run that made them, though the connection is shared', async () => {
  const vault = await vaultWith(30);
  const pool = startPool();
  const first = await pool.open(backendOf(vault));
  const second = await pool.open(backendOf(vault));
  const [listing, reading, failing] = [noCalls(), noCalls(), noCalls()];
  const results = await Promise.allSettled([
    countCalls(listing, () => listAll(first)),
    countCalls(reading, () => fetchAll(second, named(20))),
    countCalls(failing, async () => {
      for await (const outcome of second.fetch(refsOf(named(3)), patient)) expect(outcome.path).toContain('key');
      throw new Error('after the calls');
    }),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  expect(listing).toMatchObject({ detect: 1, list: 1, metadata: 30, read: 0 });
  expect(reading).toMatchObject({ list: 0, metadata: 0, read: 20 });
  expect(failing).toMatchObject({ read: 3 });
  expect(listing.login + reading.login + failing.login).toBe(1);
});

test('each attempt counts, also for the run around', async () => {
  const vault = await vaultWith(1);
  vault.faults.inject({ effect: { kind: 'status', status: 503 }, path: 'secret/data/*', times: 2 });
  const connection = await startPool().open(backendOf(vault));
  const [inner, outer] = [noCalls(), noCalls()];
  await countCalls(outer, () => countCalls(inner, () => fetchAll(connection, named(1))));
  expect([inner.read, outer.read]).toEqual([3, 3]);
});

test('a generator that was made before the run counts where it is consumed', async () => {
  const vault = await vaultWith(5);
  const connection = await startPool().open(backendOf(vault));
  const pages = connection.list(everything, patient);
  const calls = noCalls();
  await countCalls(calls, async () => {
    for await (const page of pages) expect(page).toHaveLength(5);
  });
  expect(calls).toMatchObject({ list: 1, metadata: 5 });
});

test('waits between attempts are spread over a doubling span, after what the vault asked for', () => {
  const limits = { ...defaultLimits, retryBaseMs: 100, retryMaxMs: 300, retryAfterCapMs: 2_000 };
  const throttled = (retryAfterMs: number) => vaultFailure('throttled', 'busy', { retryAfterMs });
  const delays = (attempt: number, error: unknown) =>
    Array.from({ length: 200 }, () => retryDelay(limits, attempt, error));
  const within = (found: number[], from: number, to: number) => found.every((delay) => delay >= from && delay < to);
  expect(within(delays(1, null), 0, 100)).toBe(true);
  expect(within(delays(2, null), 0, 200)).toBe(true);
  expect(within(delays(9, null), 0, 300)).toBe(true);
  expect(within(delays(1, throttled(500)), 500, 600)).toBe(true);
  expect(within(delays(1, throttled(60_000)), 2_000, 2_100)).toBe(true);
  expect(new Set(delays(1, null)).size).toBeGreaterThan(100);
});
