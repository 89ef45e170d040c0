import { expect, test } from 'vitest';
import { startBench } from './harness.ts';
import { failureOf, listAll, patient, readOne } from './support.ts';

async function openbao(options = {}) {
  const bench = await startBench({ flavour: 'openbao', ...options });
  return { ...bench, kv: bench.vault.mounts.enable('secret', { type: 'kv', version: 2 }) };
}

test('one scan shows every revision', async () => {
  const { kv, connect, calls } = await openbao();
  kv.seed(700, (index) => ({ path: `f${index % 5}/g/${index}`, data: { value: 'x' } }));
  kv.delete('f0/g/0');
  const backend = await connect();
  await backend.probe(patient);
  const refs = await listAll(backend, { wantsRevision: () => false });
  expect(calls).toMatchObject({ detect: 1, list: 1 });
  expect(calls.metadata).toBeUndefined();
  expect(refs).toHaveLength(700);
  expect(refs.filter(({ deleted }) => deleted).map(({ path }) => path)).toEqual(['f0/g/0']);
  expect((await readOne(backend, 'f1/g/1')).revision).toBe(refs.find(({ path }) => path === 'f1/g/1')?.revision);
  await listAll(backend);
  expect(calls).toMatchObject({ detect: 1, list: 2 });
});

test('where scanning is not allowed, folders are listed with their details', async () => {
  const { vault, kv, connect, calls } = await openbao();
  for (const path of ['a', 'a/b', 'c/d']) kv.put(path, { value: 'x' });
  vault.policies.write('lister', {
    'secret/metadata/*': ['list', 'read'],
    'secret/detailed-metadata/*': ['list'],
  });
  const token = vault.tokens.create({ policies: ['lister'] });
  const backend = await connect({ auth: { method: 'token', token } });
  const refs = await listAll(backend);
  expect(refs).toMatchObject([
    { path: 'a', version: '1' },
    { path: 'a/b', version: '1' },
    { path: 'c/d', version: '1' },
  ]);
  expect(calls).toMatchObject({ list: 4 });
  expect(calls.metadata).toBeUndefined();
  await listAll(backend);
  expect(calls).toMatchObject({ list: 7 });
});

test('where details are not allowed, listing and metadata do', async () => {
  const { vault, kv, connect, calls } = await openbao();
  for (const path of ['a', 'c/d']) kv.put(path, { value: 'x' });
  vault.policies.write('lister', { 'secret/metadata/*': ['list', 'read'] });
  const token = vault.tokens.create({ policies: ['lister'] });
  const backend = await connect({ kv_version: 2, auth: { method: 'token', token } });
  expect(await listAll(backend)).toMatchObject([{ version: '1' }, { version: '1' }]);
  expect(calls).toMatchObject({ detect: 1, list: 2, metadata: 2 });
});

test('an empty folder decides nothing about the server', async () => {
  const { kv, connect, calls } = await openbao();
  const backend = await connect();
  expect(await listAll(backend)).toEqual([]);
  kv.put('a', { value: 'x' });
  expect(await listAll(backend)).toMatchObject([{ version: '1' }]);
  expect(calls.metadata).toBeUndefined();
});

test('a token that OpenBao no longer knows is told from a permission denied', async () => {
  const { vault, kv, connect } = await openbao();
  kv.put('a', { value: 'x' });
  vault.policies.write('reader', { 'secret/data/a': ['read'], 'secret/metadata/*': ['list'] });
  vault.auth.enable('approle');
  const role_id = vault.auth.appRole('sync', { policies: ['reader'] });
  const secret_id = vault.auth.secretId('sync');
  const backend = await connect({ kv_version: 2, auth: { method: 'approle', role_id, secret_id } });
  expect((await failureOf(readOne(backend, 'forbidden'))).code).toBe('vault_forbidden');
  expect(vault.requests.counts).toMatchObject({ login: 1, token: 1 });
  expect((await failureOf(readOne(backend, 'forbidden'))).code).toBe('vault_forbidden');
  expect(vault.requests.counts).toMatchObject({ login: 1, token: 1 });

  const wrong = await connect({ kv_version: 2, auth: { method: 'token', token: 'wrong' } });
  expect((await failureOf(wrong.probe(patient))).code).toBe('vault_unauthenticated');
});

test('a dead token is replaced though OpenBao only says permission denied', async () => {
  // The vault's clock runs ahead of the backend's, so that the token is dead before its lease seems over.
  let vaultTime = Date.parse('2026-03-01T12:00:00Z');
  const { vault, kv, connect } = await openbao({ now: () => vaultTime });
  kv.put('a', { value: 'x' });
  vault.policies.write('reader', { 'secret/data/*': ['read'] });
  vault.auth.enable('approle');
  const role_id = vault.auth.appRole('sync', { policies: ['reader'], tokenTtlSeconds: 600 });
  const auth = { method: 'approle', role_id, secret_id: vault.auth.secretId('sync') };
  const backend = await connect({ kv_version: 2, auth });
  await readOne(backend, 'a');
  vaultTime += 3_600_000;
  expect((await readOne(backend, 'a')).version).toBe('1');
  expect(vault.requests.counts.login).toBe(2);
});
