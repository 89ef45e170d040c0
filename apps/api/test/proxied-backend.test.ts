import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** What the API shows of a backend that is proxied as a whole. */

const backend = '/v1/federation/backends/guide';

let vault: VaultEmulator;
let api: TestApi;
beforeAll(async () => {
  vault = await startVaultEmulator();
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('app/db/password', { value: '1' });
  api = await startTestApi();
  const created = await api.call('POST', '/v1/federation/backends', {
    name: 'guide',
    kind: 'hashicorp',
    config: { address: vault.url, auth: { method: 'token', token: vault.rootToken } },
    mode: 'proxy',
    path_mapping: { 'external/hashicorp/**': 'secret/data/**' },
  });
  expect(created.status).toBe(201);
});
afterAll(async () => {
  await api.close();
  await vault.close();
});

test('it is healthy after a cycle that found its vault there, with nothing synced', async () => {
  const { body: asked } = await api.call('POST', `${backend}/sync`);
  await api.work();
  const { body: cycle } = await api.call('GET', `/v1/federation/cycles/${asked.id}`);
  expect(cycle).toMatchObject({ state: 'completed', issues: 0, counts: { discovered: 0 } });
  expect(cycle.vault_calls.list).toBeUndefined();
  expect((await api.call('GET', `${backend}/status`)).body).toMatchObject({
    status: 'healthy',
    last_sync: expect.any(String),
    secrets_synced: 0,
    connection: { status: 'connected', latency_ms: expect.any(Number) },
  });
});

test('a change to sync says that nothing would go, and the next cycle carries what there is', async () => {
  const { body: preview } = await api.call('PATCH', `${backend}?dry_run=true`, { mode: 'sync' });
  expect(preview).toMatchObject({ keys: 0, out_of_scope: { count: 0 }, would_hold: false });
  await api.call('PATCH', backend, { mode: 'sync' });
  await api.call('POST', `${backend}/sync`);
  await api.work();
  const { body } = await api.call('GET', '/v1/keys');
  expect(body.items).toMatchObject([{ path: 'external/hashicorp/app/db/password', state: 'active' }]);
});

test('a change back says what would go', async () => {
  const { body } = await api.call('PATCH', `${backend}?dry_run=true`, { mode: 'proxy' });
  expect(body).toMatchObject({
    keys: 1,
    out_of_scope: { count: 1, paths: ['external/hashicorp/app/db/password'] },
    would_hold: false,
  });
});
