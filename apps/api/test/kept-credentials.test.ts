import type { Stage } from '@keyferry/core';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { runJob } from '@keyferry/pipeline';
import { defaultTenantId } from '@keyferry/store';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** Credentials of backends that are in keys of others. */

const backends = '/v1/federation/backends';
const never = new AbortController().signal;

let api: TestApi;
let vault: VaultEmulator;

beforeAll(async () => {
  api = await startTestApi();
  vault = await startVaultEmulator();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
});
afterAll(async () => {
  await vault.close();
  await api.close();
});

const create = (name: string, config: object, more = {}) =>
  api.call('POST', backends, {
    name,
    kind: 'hashicorp',
    config: { address: vault.url, ...config },
    sync_paths: [`${name}/*`],
    ...more,
  });
const patch = (name: string, body: object) => api.call('PATCH', `${backends}/${name}`, body);
const ownToken = () => ({ auth: { method: 'token', token: vault.rootToken } });
const kept = (credentials_path: string) => ({ credentials_path, auth: { method: 'token' } });

/** Runs a backend's cycle to its end, job by job. */
async function sync(name: string): Promise<void> {
  const { body } = await api.call('POST', `${backends}/${name}/sync`);
  const { services } = api;
  for (;;) {
    const [cycle] = await api.query('SELECT state, stage, dispatch FROM keyferry.cycles WHERE id = $1', [body.id]);
    if (cycle?.state !== 'open') return;
    const shards = await api.query(
      `SELECT number, dispatch FROM keyferry.shards WHERE cycle_id = $1 AND state = 'pending' AND released`,
      [body.id],
    );
    const job = { tenant_id: defaultTenantId, cycle_id: body.id };
    if (cycle.stage !== 'sync')
      await runJob(
        services,
        { ...job, stage: cycle.stage as Stage, shard: -1, dispatch: Number(cycle.dispatch) },
        never,
      );
    else
      for (const shard of shards)
        await runJob(
          services,
          { ...job, stage: 'sync', shard: Number(shard.number), dispatch: Number(shard.dispatch) },
          never,
        );
  }
}

async function source(name: string, secrets: Record<string, string>) {
  for (const [path, value] of Object.entries(secrets)) vault.kv('secret').put(`${name}/${path}`, { value });
  expect((await create(name, ownToken())).status).toBe(201);
  await sync(name);
}

test('a backend is created with credentials in a key, which tells whose they are, and can be tested', async () => {
  await source('first', { token: vault.rootToken });
  const created = await create('user', kept('first/token'));
  expect(created.status).toBe(201);
  expect(created.body.config).toMatchObject({ credentials_path: 'first/token' });
  expect(JSON.stringify(created.body)).not.toContain(vault.rootToken);
  expect((await api.call('GET', '/v1/keys/first/token')).body).toMatchObject({ credentials_of: ['user'] });
  expect((await api.call('POST', `${backends}/user/test`)).body).toMatchObject({
    container: 'present',
    credentials_refused: null,
  });
});

test('a reference in auth counts as well, and a key that isn’t there is refused', async () => {
  await source('second', { token: vault.rootToken });
  const auth = { method: 'token', token: 'vault.second/token' };
  expect((await create('referring', { auth })).status).toBe(201);
  expect((await api.call('GET', '/v1/keys/second/token')).body).toMatchObject({ credentials_of: ['referring'] });
  const missing = await create('missing', kept('second/nothing'));
  expect(missing).toMatchObject({ status: 400, body: { error: { code: 'reference_unresolved' } } });
  expect(missing.body.error.message).toContain('second/nothing');
});

test('a backend whose keys hold credentials of others is not removed', async () => {
  await source('third', { token: vault.rootToken });
  await create('dependent', kept('third/token'));
  const refused = await api.call('DELETE', `${backends}/third?archive_keys=true`);
  expect(refused).toMatchObject({ status: 409, body: { error: { code: 'credentials_in_use' } } });
  expect(refused.body.error.message).toContain('"dependent"');
  expect((await api.call('GET', '/v1/keys/third/token')).body.state).toBe('active');
  await api.call('DELETE', `${backends}/dependent`);
  expect((await api.call('DELETE', `${backends}/third?archive_keys=true`)).status).toBe(200);
});

test('a backend can’t live by its own keys, nor by those of one that lives by its', async () => {
  await source('ring-a', { token: vault.rootToken });
  expect(await patch('ring-a', { config: kept('ring-a/token') })).toMatchObject({
    status: 400,
    body: { error: { code: 'credentials_cycle' } },
  });

  vault.kv('secret').put('ring-b/token', { value: vault.rootToken });
  await create('ring-b', kept('ring-a/token'));
  await sync('ring-b');
  vault.kv('secret').put('ring-c/token', { value: vault.rootToken });
  await create('ring-c', kept('ring-b/token'));
  await sync('ring-c');
  for (const path of ['ring-b/token', 'ring-c/token']) {
    const refused = await patch('ring-a', { config: kept(path) });
    expect(refused).toMatchObject({ status: 400, body: { error: { code: 'credentials_cycle' } } });
    expect(refused.body.error.message).toContain('ring-a');
  }
  expect((await patch('ring-b', { config: { credentials_path: null, ...ownToken() } })).status).toBe(200);
  expect((await api.call('GET', '/v1/keys/ring-a/token')).body).toMatchObject({ credentials_of: [] });
  expect((await patch('ring-a', { config: kept('ring-b/token') })).status).toBe(200);
});

test('another container is refused until a person takes it', async () => {
  await source('moved', { a: '1' });
  vault.mounts.disable('secret');
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('moved/a', { value: '2' });
  const refused = await api.call('POST', `${backends}/moved/test`);
  expect(refused).toMatchObject({ status: 502, body: { error: { code: 'container_changed' } } });
  expect((await patch('moved', { accept_container: true })).status).toBe(200);
  expect((await api.call('POST', `${backends}/moved/test`)).status).toBe(200);
});
