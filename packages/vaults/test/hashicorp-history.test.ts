import { expect, test } from 'vitest';
import { startBench } from './harness.ts';
import { failureOf, patient } from './support.ts';

async function benchWithMount(version: 1 | 2 = 2) {
  const bench = await startBench();
  return { ...bench, kv: bench.vault.mounts.enable('secret', { type: 'kv', version }) };
}

test('versions tell what became of each, the newest first', async () => {
  const { clock, kv, connect } = await benchWithMount();
  const createdAt: Date[] = [];
  for (let number = 1; number <= 12; number++) {
    clock.advance(60);
    createdAt.unshift(new Date(clock.now()));
    kv.put('a', { number });
  }
  kv.delete('a');
  kv.destroy('a', [10]);
  const backend = await connect();
  const versions = await backend.versions('a', patient);
  expect(versions.map(({ version }) => version)).toEqual(['12', '11', '10', '9', '8', '7', '6', '5', '4', '3']);
  expect(versions.slice(0, 4)).toEqual([
    { version: '12', createdAt: createdAt[0], state: 'deleted', current: true, labels: [] },
    { version: '11', createdAt: createdAt[1], state: 'available', current: false, labels: [] },
    { version: '10', createdAt: createdAt[2], state: 'destroyed', current: false, labels: [] },
    { version: '9', createdAt: createdAt[3], state: 'available', current: false, labels: [] },
  ]);
});

test('a version that has an end is available until then', async () => {
  const { clock, kv, connect } = await benchWithMount();
  kv.put('a', { value: 'x' }, { deleteVersionAfter: '1h' });
  const backend = await connect();
  expect(await backend.versions('a', patient)).toMatchObject([{ state: 'available' }]);
  clock.advance(3_600);
  expect(await backend.versions('a', patient)).toMatchObject([{ state: 'deleted' }]);
});

test('an earlier version is read as it was, and one that is gone says how', async () => {
  const { kv, connect, calls } = await benchWithMount();
  for (const value of ['one', 'two', 'three']) kv.put('a', { value });
  kv.delete('a');
  kv.destroy('a', [2]);
  const backend = await connect({ kv_version: 2 });
  const reading = await backend.readVersion('a', '1', patient);
  expect(reading.value.reveal().toString()).toBe('{"value":"one"}');
  expect(reading.version).toBe('1');
  expect(calls).toEqual({ login: 1, history: 1 });
  for (const version of ['2', '3'])
    expect(await failureOf(backend.readVersion('a', version, patient))).toMatchObject({ code: 'vault_deleted' });
  for (const version of ['4', '0', '01', '1e0', '1&version=2', ' 1'])
    expect(await failureOf(backend.readVersion('a', version, patient)), version).toMatchObject({
      code: 'vault_not_found',
    });
});

test('a proxy that drops what version is asked for is not believed', async () => {
  const { vault, kv, connect } = await benchWithMount();
  for (const value of ['one', 'two']) kv.put('a', { value });
  const metadata = { version: 2, created_time: '', deletion_time: '', destroyed: false };
  const body = { data: { data: { value: 'two' }, metadata } };
  vault.faults.inject({ effect: { kind: 'status', status: 200, body }, path: 'secret/data/a' });
  const failure = await failureOf((await connect()).readVersion('a', '1', patient));
  expect(failure).toMatchObject({ code: 'vault_invalid' });
});

test('a mount that was made anew, of the other version, has no history to tell', async () => {
  const { vault, kv, connect } = await benchWithMount();
  kv.put('a', { value: 'x' });
  const backend = await connect();
  await backend.versions('a', patient);
  vault.mounts.disable('secret');
  vault.mounts.enable('secret', { type: 'kv', version: 1 });
  for (const attempt of [backend.versions('a', patient), backend.readVersion('a', '1', patient)])
    expect(await failureOf(attempt)).toMatchObject({ code: 'container_mismatch' });
});

test('version 1 keeps no versions, and says so', async () => {
  const { vault, kv, connect } = await benchWithMount(1);
  kv.put('a', { value: 'x' });
  const backend = await connect({ kv_version: 1 });
  for (const attempt of [backend.versions('a', patient), backend.readVersion('a', '1', patient)]) {
    const failure = await failureOf(attempt);
    expect(failure).toMatchObject({ code: 'vault_invalid' });
    expect(failure.message).toContain('KV version 1 keeps none');
  }
  expect(vault.requests.total).toBe(0);
});
