import { expect, test } from 'vitest';
import { startBench } from './harness.ts';
import { failureOf, fetchAll, listAll, patient, readOne } from './support.ts';

const unproven = { code: 'container_unproven', failureClass: 'invalid' };
const mismatch = { code: 'container_mismatch', failureClass: 'invalid' };

const token = (value: string) => ({ auth: { method: 'token', token: value } });

test('a version that was only guessed is asked for again, and its emptiness is no absence', async () => {
  const { vault, connect } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 1 }).put('a', { value: 'x' });
  vault.policies.write('late', {});
  const backend = await connect(token(vault.tokens.create({ policies: ['late'] })));
  expect(await backend.probe(patient)).toMatchObject({ container: 'unproven' });

  vault.policies.write('late', { 'secret/*': ['read', 'list'] });
  expect(await fetchAll(backend, ['a', 'gone'])).toEqual(
    new Map([
      ['a', '{"value":"x"}'],
      ['gone', 'vault_not_found'],
    ]),
  );
  expect(await backend.confirm('a', patient)).toBe('present');
  expect(await backend.confirm('gone', patient)).toBe('absent');
  expect(await backend.probe(patient)).toMatchObject({ container: 'present' });
});

test.for([{ kv_version: 1 }, { kv_version: 2 }, {}])(
  'nothing is absent in a mount that can’t be seen, with %j',
  async (settings) => {
    const { vault, connect } = await startBench();
    vault.mounts.enable('secret', { type: 'kv', version: 1 }).put('a', { value: 'x' });
    // Reads as the other version of KV would be read, and nothing that shows the mount.
    vault.policies.write('hidden', { 'secret/metadata/*': ['read'], 'secret/data/*': ['read'], 'secret/b': ['read'] });
    vault.faults.inject({
      effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
      path: 'sys/internal/ui/mounts/*',
    });
    const backend = await connect({ ...settings, ...token(vault.tokens.create({ policies: ['hidden'] })) });
    expect(await backend.probe(patient)).toMatchObject({ container: 'unproven' });
    const path = settings.kv_version === 1 ? 'b' : 'a';
    expect(await failureOf(backend.confirm(path, patient))).toMatchObject(unproven);
    expect(await failureOf(readOne(backend, path))).toMatchObject(unproven);
  },
);

test('a mount remade as version 1 under a connection loses nothing, and reads right after a probe', async () => {
  const { vault, connect } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  const remade = await Promise.all([connect(), connect(), connect()]);
  for (const backend of remade) expect((await readOne(backend, 'a')).version).toBe('1');
  vault.mounts.disable('secret');
  vault.mounts.enable('secret', { type: 'kv', version: 1 }).put('a', { value: 'x' });

  const [confirming, reading, probing] = remade;
  expect(await failureOf(confirming.confirm('a', patient))).toMatchObject(mismatch);
  expect(await failureOf(readOne(reading, 'a'))).toMatchObject(mismatch);
  expect(await probing.probe(patient)).toMatchObject({ container: 'present' });
  for (const backend of remade) {
    expect((await readOne(backend, 'a')).version).toBe(null);
    expect(await backend.confirm('a', patient)).toBe('present');
    expect(await listAll(backend)).toHaveLength(1);
  }
});

test('a configured version proves nothing in a mount of the other one', async () => {
  const { vault, connect } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 1 }).put('a', { value: 'x' });
  const backend = await connect({ kv_version: 2 });
  expect(await failureOf(backend.confirm('a', patient))).toMatchObject(mismatch);
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject(mismatch);
});

test('many that are absent share a look at the mount', async () => {
  const { vault, connect, calls } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  vault.faults.inject({ effect: { kind: 'slow', delayMs: 50 }, path: 'sys/internal/ui/mounts/*' });
  const backend = await connect({ kv_version: 2 });
  const paths = Array.from({ length: 100 }, (_, index) => `${index}`);
  const found = await Promise.all(paths.map((path) => backend.confirm(path, patient)));
  expect(new Set(found)).toEqual(new Set(['absent']));
  expect(calls.detect).toBeLessThan(20);
});

test('whether the time of a secret has come is for the clock of the vault to say', async () => {
  const vaultClock = { time: Date.parse('2026-03-01T12:00:00Z') };
  const { vault, connect, clock } = await startBench({ now: () => vaultClock.time });
  const kv = vault.mounts.enable('secret', { type: 'kv', version: 2 });
  kv.put('a', { value: 'x' }, { deleteVersionAfter: '600s' });
  const backend = await connect();
  clock.advance(700);
  expect(await backend.confirm('a', patient)).toBe('present');
  vaultClock.time += 700_000;
  expect(await backend.confirm('a', patient)).toBe('deleted');
});
