import { SecretValue } from '@keyferry/core';
import { expect, test } from 'vitest';
import type { PutOptions, VaultBackend } from '../src/index.ts';
import { startBench } from './gcp-bench.ts';
import { failureOf, patient, readOne } from './support.ts';

const put = (backend: VaultBackend, text: string, options: Partial<PutOptions> = {}, path = 'a') =>
  backend.put(path, SecretValue.fromText(text), { idempotencyKey: crypto.randomUUID(), ...options }, patient);

test('a new version of what is there is one call, and a new secret three', async () => {
  const { secrets, connect, calls } = await startBench();
  const backend = await connect();
  expect(await put(backend, 'one')).toEqual({ version: '1', revision: null });
  expect(calls.write).toBe(3);
  expect(await put(backend, 'two')).toEqual({ version: '2', revision: null });
  expect(calls.write).toBe(4);
  expect(secrets.get('a')?.secret).toMatchObject({ replication: { automatic: {} } });
});

test('a secret that was made and got no value is given one', async () => {
  const { vault, secrets, connect } = await startBench();
  const backend = await connect();
  const lost = vault.faults.inject({
    operation: 'AddSecretVersion',
    effect: { kind: 'status', status: 503 },
    times: 1,
  });
  // The fault answers in the place of the vault, which has added the version all the same.
  expect(await failureOf(put(backend, 'one', { expectedVersion: null }))).toMatchObject({
    failureClass: 'unavailable',
  });
  expect(lost.hits).toBe(1);
  expect(await put(backend, 'one', { expectedVersion: null })).toMatchObject({ version: '1' });
  secrets.create('b');
  expect(await put(backend, 'one', { expectedVersion: null }, 'b')).toMatchObject({ version: '1' });
});

test('a destroyed version is nothing that could be lost', async () => {
  const { secrets, connect } = await startBench();
  secrets.put('a', 'one');
  secrets.setState('a', 'DESTROYED');
  const backend = await connect();
  expect(await put(backend, 'two', { expectedVersion: null })).toMatchObject({ version: '2' });
});

test('a disabled version is one that is there', async () => {
  const { secrets, connect } = await startBench();
  secrets.put('a', 'one');
  secrets.setState('a', 'DISABLED');
  const backend = await connect();
  expect(await failureOf(put(backend, 'two', { expectedVersion: null }))).toMatchObject({ code: 'vault_conflict' });
  expect(await put(backend, 'two', { expectedVersion: '1' })).toMatchObject({ version: '2' });
});

test('what Google would refuse is refused before anything is sent', async () => {
  const { connect, calls } = await startBench();
  const backend = await connect();
  const refused = [
    put(backend, ''),
    put(backend, 'x', { metadata: { 'with space': 'x' } }),
    put(backend, 'x', { metadata: { big: 'x'.repeat(17_000) } }),
    put(backend, 'x', {}, 'with space'),
  ];
  for (const promise of refused)
    expect(await failureOf(promise)).toMatchObject({ failureClass: expect.stringMatching(/invalid|too_large/) });
  expect(calls).toEqual({});
});

test('metadata are annotations, which take what labels don’t', async () => {
  const { connect } = await startBench();
  const backend = await connect();
  const metadata = { owner: 'Search & Ads', expires_at: '2027-01-01T12:00:00Z' };
  await put(backend, 'x', { metadata });
  expect(await readOne(backend, 'a')).toMatchObject({ metadata, expiresAt: new Date('2027-01-01T12:00:00Z') });
});

test('what is removed can’t be restored, and says so', async () => {
  const { secrets, connect } = await startBench();
  secrets.put('a', 'x');
  const backend = await connect();
  await backend.remove('a', patient);
  expect(secrets.get('a')).toBeUndefined();
  expect(await failureOf(backend.restore('a', patient))).toMatchObject({ code: 'vault_not_found' });
});

test('a regional secret is made without replication', async () => {
  const { vault, connect } = await startBench();
  const backend = await connect({ location: 'europe-west3' });
  await put(backend, 'x');
  expect(vault.secrets({ location: 'europe-west3' }).get('a')?.secret).not.toHaveProperty('replication');
});
