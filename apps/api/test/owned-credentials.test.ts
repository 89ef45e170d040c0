import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** Plaintext credentials that are kept in a vault which Keyferry may write to. */

const backends = '/v1/federation/backends';
const canary = 'canary-41cc-credential';

let api: TestApi;
let keeping: VaultEmulator;
let other: VaultEmulator;

beforeEach(async () => {
  api = await startTestApi();
  [keeping, other] = await Promise.all([startVaultEmulator(), startVaultEmulator()]);
  for (const vault of [keeping, other]) vault.mounts.enable('secret', { type: 'kv', version: 2 });
  await create('keeper', keeping, { access_mode: 'read_and_write', writes: 'write_through', prefix: 'kept' });
});
afterEach(async () => {
  await Promise.all([keeping.close(), other.close()]);
  await api.close();
});

async function create(name: string, vault: VaultEmulator, more: object = {}, auth: object = tokenOf(vault)) {
  const config = { address: vault.url, auth };
  return await api.call('POST', backends, { name, kind: 'hashicorp', config, prefix: name, ...more });
}

const tokenOf = (vault: VaultEmulator, id?: string) => {
  vault.policies.write('all', { '*': ['read', 'list', 'create', 'update', 'delete'] });
  return { method: 'token', token: id ? vault.tokens.create({ policies: ['all'], id }) : vault.rootToken };
};
const patch = (name: string, body: object) => api.call('PATCH', `${backends}/${name}`, body);
const inVault = (path: string) => keeping.kv('secret').get(path);
const keys = () =>
  api.query('SELECT local_path, state, owned, owned_for, version FROM keyferry.keys ORDER BY local_path');

test('a plaintext token is written to the vault, owned, and the backend lives by a reference to it', async () => {
  const made = await create('user', other, {}, tokenOf(other, `hvs.${canary}`));
  expect(made.status).toBe(201);
  const path = `kept/backends/${made.body.id}/token`;
  expect(inVault(path)?.data).toBe(`{"value":"hvs.${canary}"}`);
  expect(await keys()).toEqual([
    { local_path: path, state: 'active', owned: true, owned_for: `backend:${made.body.id}`, version: 1 },
  ]);
  const [row] = await api.query('SELECT credential_paths FROM keyferry.backends WHERE id = $1', [made.body.id]);
  expect(row?.credential_paths).toEqual([path]);
  expect((await api.call('POST', `${backends}/user/test`)).body).toMatchObject({ container: 'present' });
  expect((await api.call('GET', `/v1/keys/${path}`)).body).toMatchObject({ credentials_of: ['user'] });
  expect(JSON.stringify([made.body, api.lines])).not.toContain(canary);
  // Nobody deletes it behind its backend's back.
  const { statusCode } = await api.app.inject({
    method: 'DELETE',
    url: `/v1/secrets/${path}`,
    headers: { authorization: 'Bearer a-token-for-tests-that-is-long' },
  });
  expect(statusCode).toBe(409);
});

test('names stay where they are, and references too', async () => {
  const secretId = `${canary}-secret-id`;
  const made = await create('user', other, {}, { method: 'approle', role_id: 'a-role', secret_id: secretId });
  expect(made.status).toBe(201);
  expect((await keys()).map(({ local_path }) => local_path)).toEqual([`kept/backends/${made.body.id}/secret-id`]);
  const path = `kept/backends/${made.body.id}/secret-id`;
  const referring = await create('second', other, {}, { method: 'token', token: `vault.${path}#value` });
  expect(referring.status).toBe(201);
  expect(await keys()).toHaveLength(1);
});

test('another token takes the place of the former, and goes with its backend', async () => {
  const made = await create('user', other, {}, tokenOf(other, 'hvs.first'));
  const path = `kept/backends/${made.body.id}/token`;
  expect((await patch('user', { config: { auth: tokenOf(other, 'hvs.second') } })).status).toBe(200);
  expect(inVault(path)).toMatchObject({ version: 2, data: '{"value":"hvs.second"}' });
  expect((await api.call('POST', `${backends}/user/test`)).body).toMatchObject({ container: 'present' });
  expect((await api.call('DELETE', `${backends}/user`)).status).toBe(200);
  expect(inVault(path)).toMatchObject({ deleted: true, destroyed: false });
  expect(await keys()).toMatchObject([{ local_path: path, state: 'archived' }]);
});

test('what is not referred to any more is removed', async () => {
  keeping.kv('secret').put('kept/shared', { token: other.rootToken });
  await api.call('POST', `${backends}/keeper/sync`);
  await api.work();
  const made = await create('user', other, {}, tokenOf(other, 'hvs.first'));
  const path = `kept/backends/${made.body.id}/token`;
  const auth = { method: 'token', token: 'vault.kept/shared#token' };
  expect((await patch('user', { config: { auth } })).status).toBe(200);
  expect(inVault(path)).toMatchObject({ deleted: true });
  // What is referred to by a field is not Keyferry's, and stays.
  expect((await api.call('DELETE', `${backends}/user`)).status).toBe(200);
  expect(inVault('kept/shared')).toMatchObject({ deleted: false, version: 1 });
});

test('a vault that refuses them leaves nothing half registered', async () => {
  keeping.faults.inject({
    effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
    method: 'POST',
    path: 'secret/data/*',
  });
  const refused = await create('user', other, {}, tokenOf(other, 'hvs.first'));
  expect(refused).toMatchObject({ status: 502, body: { error: { code: 'vault_forbidden' } } });
  expect((await api.call('GET', `${backends}/user`)).status).toBe(404);
  expect((await keys()).filter(({ state }) => state !== 'archived')).toEqual([]);
});

test('a backend that can’t be registered after all leaves nothing in the vault', async () => {
  const made = await create('user', other, {}, tokenOf(other, 'hvs.first'));
  expect(await create('user', other, {}, tokenOf(other, 'hvs.again'))).toMatchObject({
    status: 409,
    body: { error: { code: 'backend_exists' } },
  });
  const live = (await keys()).filter(({ state }) => state === 'active');
  expect(live.map(({ owned_for }) => owned_for)).toEqual([`backend:${made.body.id}`]);
  const refused = await patch('user', { name: 'keeper', config: { auth: tokenOf(other, 'hvs.third') } });
  expect(refused).toMatchObject({ status: 409, body: { error: { code: 'backend_exists' } } });
  expect(inVault(`kept/backends/${made.body.id}/token`)?.data).toBe('{"value":"hvs.first"}');
});

test('the vault that keeps them keeps its own where they are, and none that it would live by', async () => {
  expect((await patch('keeper', { config: { auth: tokenOf(keeping, 'hvs.own') } })).status).toBe(200);
  expect(await keys()).toEqual([]);
  // Its credentials are in a key of the other: those of the other stay where they are.
  other.kv('secret').put('user/token', { value: keeping.rootToken });
  await create('user', other, {}, { method: 'token', token: other.rootToken });
  const [kept] = await keys();
  await api.call('POST', `${backends}/user/sync`);
  await api.work();
  expect(kept).toMatchObject({ state: 'active' });
  const cycle = await patch('keeper', { config: { auth: { method: 'token', token: 'vault.user/token' } } });
  expect(cycle).toMatchObject({ status: 400, body: { error: { code: 'credentials_cycle' } } });
});

test('without a vault that takes writes they stay with the backend', async () => {
  expect((await patch('keeper', { writes: 'disabled' })).status).toBe(200);
  expect((await create('user', other, {}, tokenOf(other, 'hvs.first'))).status).toBe(201);
  expect(await keys()).toEqual([]);
});
