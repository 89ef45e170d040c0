import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

const canary = 'canary-5f2d-credential';
const config = { address: 'https://vault.example.com:8200', auth: { method: 'token', token: canary } };
const backends = '/v1/federation/backends';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi({
    environment: { VAULT_TOKEN: canary, EMPTY: '' },
    allowedEnvironment: ['VAULT_*', 'EMPTY'],
  });
});

afterAll(() => api.close());

const create = (settings: object) => api.call('POST', backends, { kind: 'hashicorp', config, ...settings });

describe('registering a backend', () => {
  test('answers with its settings, defaults included and credentials not', async () => {
    const { status, body, headers } = await create({ name: 'first' });
    expect(status).toBe(201);
    expect(headers.location).toBe(`${backends}/${body.id}`);
    expect(body).toMatchObject({
      name: 'first',
      kind: 'hashicorp',
      mode: 'sync',
      state: 'active',
      config: { address: config.address, mount: 'secret', allow_http: false },
      prefix: 'bifrost',
      sync_paths: ['bifrost/*'],
      sync_interval: '5m',
      grace_period: '1d',
      retain_archived: '90d',
      auto_deprecate: true,
      backup_deprecated_keys: true,
    });
    expect(body.config).not.toHaveProperty('auth');
    expect(Date.parse(body.next_sync)).toBeLessThanOrEqual(Date.now());
  });

  test('is audited', async () => {
    const { body } = await create({ name: 'audited' });
    const rows = await api.query(
      `SELECT actor, action, target, details FROM keyferry.audit_log WHERE target = 'audited'`,
    );
    expect(rows).toEqual([
      {
        actor: 'api-token',
        action: 'backend.created',
        target: 'audited',
        details: { backend_id: body.id, kind: 'hashicorp' },
      },
    ]);
  });

  test('is refused for a name that is taken, and leaves the first as it was', async () => {
    await create({ name: 'twice', sync_interval: '1h' });
    const { status, body } = await create({ name: 'twice' });
    expect(status).toBe(409);
    expect(body.error).toMatchObject({ code: 'backend_exists', message: expect.stringContaining('"twice"') });
    expect((await api.call('GET', `${backends}/twice`)).body.sync_interval).toBe('1h');
  });

  test.each([
    ['an interval of `5 minutes`', { sync_interval: '5 minutes' }, 'duration_invalid', 'sync_interval'],
    ['an interval of `0s`', { sync_interval: '0s' }, 'duration_invalid', 'sync_interval'],
    ['an interval of 8 days', { sync_interval: '8d' }, 'config_invalid', 'sync_interval'],
    ['a bad glob', { sync_paths: ['a/[b]'] }, 'glob_invalid', 'sync_paths[0]'],
    [
      'a mapping that can’t be inverted',
      { path_mapping: [{ from: '*', to: 'a' }] },
      'mapping_not_invertible',
      'path_mapping[0]',
    ],
    ['an unknown kind', { kind: 'cupboard' }, 'backend_kind_unknown', 'cupboard|hashicorp'],
    ['no name', { name: undefined }, 'config_invalid', 'name'],
    ['no config', { config: undefined }, 'config_invalid', 'config'],
    ['no address', { config: { auth: config.auth } }, 'config_invalid', 'address'],
    ['an address that is no URL', { config: { ...config, address: 'vault' } }, 'config_invalid', 'address'],
    ['no credentials', { config: { address: config.address } }, 'config_invalid', 'auth'],
    ['credentials that are no object', { config: { ...config, auth: canary } }, 'config_invalid', 'auth'],
    [
      'two ways to authenticate',
      { config: { ...config, auth: { ...config.auth, role_id: 'r', secret_id: canary } } },
      'config_invalid',
      'auth',
    ],
    ['an unknown setting', { interval: '5m' }, 'config_invalid', 'interval'],
    ['an unknown setting of the vault', { config: { ...config, adress: 'x' } }, 'config_invalid', 'adress'],
    ['an unknown mode', { mode: 'mirror' }, 'config_invalid', 'mode'],
    ['a NUL in a text', { config: { ...config, namespace: 'a\0b' } }, 'request_invalid', 'NUL'],
    ['half a surrogate pair in a text', { sync_paths: ['\ud800'] }, 'request_invalid', 'Unicode'],
  ])('is refused for %s', async (_what, change, code, named) => {
    const { status, body } = await create({ name: 'refused', ...change });
    expect({ status, code: body.error.code }).toEqual({ status: 400, code });
    expect(body.error.message).toMatch(new RegExp(named.replace(/[[\]]/g, '\\$&')));
    expect(body.error.action).not.toBe('');
    expect(JSON.stringify(body)).not.toContain(canary);
    expect((await api.call('GET', `${backends}/refused`)).status).toBe(404);
  });
});

describe('credentials that are references', () => {
  const referring = (name: string, reference: string) =>
    create({ name, config: { ...config, auth: { method: 'token', token: reference } } });

  test('are accepted where they can be resolved, and stay references', async () => {
    expect((await referring('referring', 'env.VAULT_TOKEN')).status).toBe(201);
    await api.call('PATCH', `${backends}/referring`, { config: { mount: 'team' } });
    const { body } = await api.call('GET', `${backends}/referring`);
    expect(body.config.mount).toBe('team');
    expect(JSON.stringify(body)).not.toContain('env.');
  });

  test.each([
    ['env.SOMETHING_ELSE', 'reference_refused'],
    ['env.VAULT_UNSET', 'reference_unresolved'],
    ['env.EMPTY', 'reference_unresolved'],
    ['env.not a name', 'reference_invalid'],
  ])('"%s" is refused as %s', async (reference, code) => {
    const { status, body } = await referring('unreferring', reference);
    expect({ status, code: body.error.code }).toEqual({ status: 400, code });
  });
});

describe('changing a backend', () => {
  test('changes what is given and leaves the rest', async () => {
    const created = (await create({ name: 'changing', exclude_paths: ['a'] })).body;
    const { status, body } = await api.call('PATCH', `${backends}/changing`, {
      name: 'changed',
      sync_interval: '15m',
      state: 'paused',
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      ...created,
      name: 'changed',
      sync_interval: '15m',
      state: 'paused',
      next_sync: null,
      updated_at: body.updated_at,
    });
    expect((await api.call('GET', `${backends}/${created.id}`)).body).toEqual(body);
  });

  test('lays members of config over the stored ones, and null removes one', async () => {
    await create({ name: 'merging', config: { ...config, namespace: 'team' } });
    const change = { mount: 'kv', namespace: null, auth: config.auth };
    const { body } = await api.call('PATCH', `${backends}/merging`, { config: change });
    expect(body.config).toEqual({ address: config.address, mount: 'kv', allow_http: false });
  });

  test('replaces the credentials as a whole, and says so in the audit log without them', async () => {
    const { body } = await create({ name: 'renewing' });
    const auth = { method: 'approle', role_id: 'role', secret_id: `${canary}-2` };
    expect((await api.call('PATCH', `${backends}/renewing`, { config: { auth } })).status).toBe(200);
    const [row] = await api.query(
      `SELECT details FROM keyferry.audit_log WHERE action = 'backend.updated' AND target = 'renewing'`,
    );
    const { config: shown } = body;
    expect(row?.details).toEqual({ backend_id: body.id, changed: ['config.auth'], before: shown, after: shown });
    const [stored] = await api.query('SELECT credentials_version FROM keyferry.backends WHERE id = $1', [body.id]);
    expect(stored?.credentials_version).toBe(2);
  });

  test.each([
    [{}, 'config_invalid'],
    [{ grace_period: '2d', kind: 'hashicorp' }, 'config_invalid'],
    [{ grace_period: '2d', sync_interval: '5 minutes' }, 'duration_invalid'],
    [{ grace_period: '2d', config: { address: 'nowhere' } }, 'config_invalid'],
    [{ config: { address: 'https://elsewhere.example.com' } }, 'config_invalid'],
    [{ config: { namespace: 'elsewhere' } }, 'config_invalid'],
    [{ config: { tls: { server_name: 'elsewhere' } } }, 'config_invalid'],
    [{ grace_period: '2d', config: { auth: null } }, 'config_invalid'],
    [{ grace_period: '2d', config: { auth: { method: 'token' } } }, 'config_invalid'],
    [{ grace_period: '2d', name: 'first' }, 'backend_exists'],
  ])('by %j is refused as %s, and changes nothing', async (patch, code) => {
    await create({ name: 'steady' });
    const before = await api.call('GET', `${backends}/steady`);
    const { body } = await api.call('PATCH', `${backends}/steady`, patch);
    expect(body.error.code).toBe(code);
    expect((await api.call('GET', `${backends}/steady`)).body).toEqual(before.body);
  });

  test('two changes of config at the same moment both last', async () => {
    const { id } = (await create({ name: 'both' })).body;
    const waiting = `SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    const changes = await asAdmin(api.database.ownerUrl, async (client) => {
      await client.query('BEGIN');
      await client.query('SELECT FROM keyferry.backends WHERE id = $1 FOR UPDATE', [id]);
      const begun = [{ mount: 'left' }, { kv_version: 2 }].map((config) =>
        api.call('PATCH', `${backends}/both`, { config }),
      );
      await vi.waitFor(async () => expect(await api.query(waiting)).toEqual([{ count: 2 }]), { timeout: 10_000 });
      await client.query('COMMIT');
      return begun;
    });
    for (const { status } of await Promise.all(changes)) expect(status).toBe(200);
    const { body } = await api.call('GET', `${backends}/both`);
    expect(body.config).toMatchObject({ mount: 'left', kv_version: 2 });
  });
});

describe('removing a backend', () => {
  test('frees its name and is audited', async () => {
    const { body } = await create({ name: 'leaving' });
    const removed = await api.call('DELETE', `${backends}/leaving`);
    expect(removed).toMatchObject({ status: 200, body: { id: body.id, name: 'leaving', archived_keys: 0 } });
    expect((await api.call('GET', `${backends}/${body.id}`)).body.error.code).toBe('backend_not_found');
    expect((await create({ name: 'leaving' })).status).toBe(201);
    const rows = await api.query(`SELECT details FROM keyferry.audit_log WHERE action = 'backend.removed'`);
    expect(rows).toEqual([{ details: { backend_id: body.id, archived_keys: 0 } }]);
  });
});

test('backends are listed by name', async () => {
  const { body } = await api.call('GET', backends);
  const names = body.items.map(({ name }: { name: string }) => name);
  expect(names).toContain('first');
  expect(names).toEqual([...names].sort());
});

test.each([
  ['GET', ''],
  ['PATCH', ''],
  ['DELETE', ''],
  ['GET', '/status'],
  ['POST', '/sync'],
  ['POST', '/test'],
  ['GET', '/cycles'],
] as const)('%s of an unknown backend%s is answered with 404', async (method, rest) => {
  for (const id of ['nobody', '00000000-0000-4000-8000-00000000dead']) {
    const { status, body } = await api.call(
      method,
      `${backends}/${id}${rest}`,
      method === 'PATCH' ? { state: 'paused' } : undefined,
    );
    expect({ status, code: body.error.code }).toEqual({ status: 404, code: 'backend_not_found' });
  }
});

test('credentials are in no answer, no log line and no column but as ciphertext', async () => {
  const { body } = await api.call('GET', backends);
  expect(JSON.stringify(body)).not.toContain('canary');
  expect(api.lines.join('\n')).not.toContain('canary');
  const tables = await api.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'keyferry'`);
  for (const { tablename } of tables) {
    const rows = await api.query(`SELECT t::text FROM keyferry.${tablename} t`);
    expect(JSON.stringify(rows)).not.toContain('canary');
    expect(JSON.stringify(rows)).not.toContain(Buffer.from(canary).toString('hex'));
  }
});
