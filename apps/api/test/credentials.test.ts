import { createConnectionPool, openConnection } from '@keyferry/connections';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { defaultTenantId, getBackend, openSettings } from '@keyferry/store';
import { thisMachine } from '@keyferry/testing/support/this-machine.ts';
import { builtInVaults } from '@keyferry/vaults';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

const backends = '/v1/federation/backends';
const environment: NodeJS.ProcessEnv = {};

let api: TestApi;
let vault: VaultEmulator;
let role_id: string;

beforeAll(async () => {
  api = await startTestApi({ environment, allowedEnvironment: ['TEAM_*'], allowedFiles: ['/run/tokens/*'] });
});
afterAll(() => api.close());

beforeEach(async () => {
  vault = await startVaultEmulator();
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  vault.policies.write('reader', { 'secret/metadata/*': ['read'] });
  vault.auth.enable('approle');
  role_id = vault.auth.appRole('sync', { policies: ['reader'] });
});
afterEach(() => vault.close());

const wrap = () => vault.auth.secretId('sync', { wrapTtlSeconds: 300 });
const configOf = (auth: object) => ({ address: vault.url, auth: { method: 'approle', role_id, ...auth } });
const create = (name: string, config: object) => api.call('POST', backends, { name, kind: 'hashicorp', config });
const patch = (name: string, body: object) => api.call('PATCH', `${backends}/${name}`, body);
const unwraps = () => vault.requests.all.filter(({ path }) => path === 'sys/wrapping/unwrap').length;

/** Logs in with what is stored, on a connection pool of its own. */
async function readsWith(name: string): Promise<string> {
  const connections = createConnectionPool({
    registry: builtInVaults,
    environment: {},
    allowedEnvironment: [],
    allowedFiles: [],
    allowedIdentities: [],
    allowedVaults: thisMachine,
  });
  onTestFinished(() => connections.close());
  const backend = await api.services.store.inTenant(defaultTenantId, (tx) => getBackend(tx, name));
  await using connection = await openConnection(
    { ...api.services, connections },
    backend,
    new AbortController().signal,
  );
  return await connection.confirm('a', new AbortController().signal);
}

describe('a wrapped secret_id', () => {
  test('is exchanged when the backend is created, and serves any number of processes', async () => {
    expect((await create('created', configOf({ wrapped_secret_id: wrap() }))).status).toBe(201);
    expect([await readsWith('created'), await readsWith('created')]).toEqual(['present', 'present']);
    expect([unwraps(), vault.requests.counts.login]).toEqual([1, 2]);
  });

  test('is exchanged when the credentials are changed, at the address that the change leads to', async () => {
    await create('changed', { address: 'https://vault.example.com:8200', auth: { method: 'token', token: 't' } });
    environment.TEAM_WRAPPED = wrap();
    const { auth } = configOf({ wrapped_secret_id: 'env.TEAM_WRAPPED' });
    expect(await patch('changed', { config: { address: vault.url, auth } })).toMatchObject({ status: 200 });
    expect([await readsWith('changed'), await readsWith('changed')]).toEqual(['present', 'present']);
    await patch('changed', { config: { kv_version: 2 } });
    expect([await readsWith('changed'), unwraps()]).toEqual(['present', 1]);
  });

  test('that was used is refused in a clear sentence, and nothing is stored', async () => {
    const config = configOf({ wrapped_secret_id: wrap() });
    await create('first', config);
    const { status, body } = await create('second', config);
    expect({ status, ...body.error }).toMatchObject({
      status: 502,
      code: 'vault_unauthenticated',
      message: 'Could not unwrap wrapped_secret_id: it was used before or has expired; issue a new one.',
    });
    expect((await api.call('GET', `${backends}/second`)).status).toBe(404);

    const before = await api.call('GET', `${backends}/first`);
    expect((await patch('first', { grace_period: '2d', config })).status).toBe(502);
    expect((await api.call('GET', `${backends}/first`)).body).toEqual(before.body);
    expect(await readsWith('first')).toBe('present');
  });

  test('is not asked for by a request that can’t be carried out anyway, as far as that is known before', async () => {
    const wrapped_secret_id = wrap();
    const { auth } = configOf({ wrapped_secret_id });
    expect((await create('spared', { address: vault.url, mount: '/', auth })).status).toBe(400);
    expect((await patch('nobody', { config: { auth } })).status).toBe(404);
    expect(unwraps()).toBe(0);
    expect((await create('spared', configOf({ wrapped_secret_id }))).status).toBe(201);
  });

  test('is spent where the database refuses afterwards', async () => {
    await create('taken', configOf({ wrapped_secret_id: wrap() }));
    const config = configOf({ wrapped_secret_id: wrap() });
    expect((await create('taken', config)).body.error.code).toBe('backend_exists');
    expect((await create('free', config)).body.error.code).toBe('vault_unauthenticated');
  });

  test('holds up no transaction while the vault doesn’t answer', async () => {
    await create('waiting', configOf({ wrapped_secret_id: wrap() }));
    const hang = vault.faults.inject({ effect: { kind: 'hang' }, path: 'sys/wrapping/unwrap' });
    const change = patch('waiting', { config: configOf({ wrapped_secret_id: wrap() }) });
    await expect.poll(() => hang.hits).toBe(1);
    const open = `SELECT state FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`;
    expect(await api.query(open)).toEqual([]);
    expect((await patch('waiting', { state: 'paused' })).status).toBe(200);
    await vault.close();
    const { status, body } = await change;
    expect({ status, code: body.error.code }).toEqual({ status: 502, code: 'vault_unavailable' });
  });

  test('is in no answer, no log line and no column, nor is what it wraps', async () => {
    const tokens = [wrap(), wrap(), wrap()];
    const config = configOf({ wrapped_secret_id: tokens[0] });
    const answers = [await create('canary', config), await create('canary-2', config)];
    answers.push(await patch('canary', { config: { auth: configOf({ wrapped_secret_id: tokens[1] }).auth } }));
    answers.push(await create('canary', configOf({ wrapped_secret_id: tokens[2] })));
    answers.push(await api.call('GET', `${backends}/canary`), await api.call('POST', `${backends}/canary/test`));
    expect(answers.map(({ status }) => status)).toEqual([201, 502, 200, 409, 200, 200]);
    const { id } = answers[0]?.body ?? {};
    const { store, keyring } = api.services;
    const keys = await keyring.ofTenant(defaultTenantId);
    const { auth } = await store.inTenant(defaultTenantId, (tx) => openSettings(tx, id, keys));
    const { secret_id } = auth as { secret_id: string };
    expect(auth).toEqual({ method: 'approle', role_id, secret_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });

    const places = [JSON.stringify(answers), api.lines.join('\n')];
    const tables = await api.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'keyferry'`);
    for (const { tablename } of tables)
      places.push(JSON.stringify(await api.query(`SELECT t::text FROM keyferry.${tablename} t`)));
    for (const secret of [...tokens, secret_id])
      for (const place of places)
        for (const form of [secret, Buffer.from(secret).toString('hex')]) expect(place.includes(form)).toBe(false);
  });
});

describe('a file of the operator’s', () => {
  const kubernetes = (jwt_path?: string) => ({
    address: 'https://vault.example.com:8200',
    auth: { method: 'kubernetes', role: 'pod', ...(jwt_path && { jwt_path }) },
  });

  test('may be named if it is allowed, whether it is here or only where the workers are', async () => {
    expect((await create('pod', kubernetes('/run/tokens/team'))).status).toBe(201);
  });

  test.each([
    ['/etc/passwd', '/etc/passwd'],
    ['/run/tokens/../master.key', '/run/tokens/../master.key'],
    ['run/tokens/team', 'run/tokens/team'],
    [undefined, '/var/run/secrets/kubernetes.io/serviceaccount/token'],
  ])('is refused by its path if it is not allowed: %s', async (jwt_path, named) => {
    const { status, body } = await create('unfiled', kubernetes(jwt_path));
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'reference_refused' });
    expect(body.error.message).toContain(named);
    expect(body.error.action).toContain('KEYFERRY_ALLOWED_FILES');
    await create('filed', kubernetes('/run/tokens/team'));
    expect((await patch('filed', { config: kubernetes(jwt_path) })).body.error.code).toBe('reference_refused');
  });
});
