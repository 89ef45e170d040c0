import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** The federation guide's first example, word by word: `external/hashicorp/**` stands for `secret/data/**`. */

const backend = '/v1/federation/backends/guide';
const secret = '/v1/secrets/external/hashicorp/app/db/password';

let vault: VaultEmulator;
let api: TestApi;
beforeAll(async () => {
  vault = await startVaultEmulator();
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('app/db/password', { value: 'p1' });
  api = await startTestApi();
});
afterAll(async () => {
  await api.close();
  await vault.close();
});

const calls = () => vault.requests.all.map(({ method, path }) => `${method} ${path}`);

test('a read of external/hashicorp/app/db/password proxies to secret/data/app/db/password', async () => {
  const { status } = await api.call('POST', '/v1/federation/backends', {
    name: 'guide',
    kind: 'hashicorp',
    config: { address: vault.url, auth: { method: 'token', token: vault.rootToken } },
    mode: 'proxy',
    path_mapping: { 'external/hashicorp/**': 'secret/data/**' },
  });
  expect(status).toBe(201);
  const { body } = await api.call('GET', secret);
  expect(body).toMatchObject({ value: 'p1', source: 'vault', version: null, backend: 'guide' });
  expect(calls().at(-1)).toContain('GET secret/data/app/db/password');
});

test('and by sync the same path is answered from the store', async () => {
  await api.call('PATCH', backend, { mode: 'sync' });
  await api.call('POST', `${backend}/sync`);
  await api.work();
  vault.requests.reset();
  expect((await api.call('GET', secret)).body).toMatchObject({ value: 'p1', source: 'store', version: 1 });
});

test('a change of mode is read by at once where it was made', async () => {
  await api.call('PATCH', backend, { mode: 'proxy' });
  expect((await api.call('GET', secret)).body).toMatchObject({ value: 'p1', source: 'vault' });
  await api.call('PATCH', backend, { mode: 'sync' });
  expect((await api.call('GET', secret)).body).toMatchObject({ value: 'p1', source: 'store' });
});
