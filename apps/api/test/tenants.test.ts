import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import type { Authenticator } from '@keyferry/identity';
import { claimDue, purgeDeleted, reconcile, runJob } from '@keyferry/pipeline';
import { createKeyring, defaultTenantId, forgetDeletedTenants, loadMasterKey } from '@keyferry/store';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { knownIdentity } from './support/known-identity.ts';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** Tenants, as operators manage them and as their own people see that. */

const cleanup = new AsyncDisposableStack();
let api: TestApi;
let vault: VaultEmulator;
let time = Date.now();
const people = new Map<string, Authenticator>();
const knownPeople: Authenticator = {
  identify: (credential, asked) => people.get(credential)?.identify(credential, asked) ?? null,
};

/** A tenant of each test's own, its id, and the token of somebody who may do everything in it. */
let name: string;
let id: string;
let own: string;
let count = 0;

beforeAll(async () => {
  vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  api = await startTestApi({ authenticators: [knownPeople], now: () => new Date(time) });
  cleanup.defer(() => api.close());
});
afterAll(() => cleanup.disposeAsync());

beforeEach(async () => {
  name = `team-${++count}`;
  id = (await make(name)).id;
  own = `token-of-${name}`;
  people.set(own, knownIdentity(own, id));
  vault.mounts.enable(name, { type: 'kv', version: 2 });
});

const make = async (called: string, limits = {}) => {
  const { status, body } = await api.call('POST', '/v1/tenants', { name: called, ...limits });
  expect(status).toBe(201);
  return body;
};
const act = (what: string, by?: string) => api.call('POST', `/v1/tenants/${name}/${what}`, undefined, by);
const limit = (limits: object) => api.call('PATCH', `/v1/tenants/${name}`, limits);
const inTenant = (method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown, named = name) =>
  api.call(method, path, body, undefined, { 'x-keyferry-tenant': named });
const put = (path: string, value = `sk-${path}`) => vault.kv(name).put(`bifrost/${path}`, { value });
const backend = (called = 'main', more = {}) => ({
  name: called,
  kind: 'hashicorp',
  config: {
    address: vault.url,
    mount: name,
    allow_http: true,
    auth: { method: 'token', token: vault.rootToken },
  },
  ...more,
});
const addBackend = (called?: string, more?: object) =>
  api.call('POST', '/v1/federation/backends', backend(called, more), own);
const sync = async () => {
  const { body } = await api.call('POST', '/v1/federation/backends/main/sync', undefined, own);
  await api.work(id);
  return (await api.call('GET', `/v1/federation/cycles/${body.id}`, undefined, own)).body;
};
const read = (path: string, by = own) => api.call('GET', `/v1/secrets/bifrost/${path}`, undefined, by);
const audited = async (tenantId: string) =>
  await api.query(
    `SELECT actor, action, target FROM keyferry.audit_log
     WHERE tenant_id = $1 AND (details ->> 'tenant_id') = $2 ORDER BY batch, place`,
    [tenantId, id],
  );

describe('a tenant', () => {
  test('is made, shown, listed page by page, renamed and limited, and both audit logs tell by whom', async () => {
    expect((await api.call('GET', `/v1/tenants/${name}`)).body).toMatchObject({
      id,
      state: 'active',
      max_keys: null,
      counts: { backends: 0, keys: 0, open_cycles: 0 },
    });
    const names: string[] = [];
    let cursor = '';
    do {
      const { body } = await api.call('GET', `/v1/tenants?limit=1${cursor && `&cursor=${cursor}`}`);
      names.push(...body.items.map((tenant: { name: string }) => tenant.name));
      cursor = body.next_cursor;
    } while (cursor);
    expect(names).toEqual(expect.arrayContaining(['default', name]));
    expect(names).toEqual(names.toSorted());
    expect((await limit({ name: `${name}-x`, max_keys: 3 })).body).toMatchObject({ name: `${name}-x`, max_keys: 3 });
    const entries = [
      ['tenant.created', name],
      ['tenant.updated', `${name}-x`],
    ];
    const said = (actor: string) => entries.map(([action, target]) => ({ actor, action, target }));
    expect(await audited(defaultTenantId)).toEqual(said('api-token'));
    expect(await audited(id)).toEqual(said('operator:api-token'));
  });

  test('has a name of its own, which is no id, and limits that can be', async () => {
    expect(await api.call('POST', '/v1/tenants', { name })).toMatchObject({
      status: 409,
      body: { error: { code: 'tenant_exists' } },
    });
    for (const body of [
      {},
      { name: id },
      { name: 'a b' },
      { name: 'x', max_keys: -1 },
      { name: 'x', max_open_cycles: 0 },
      { name: 'x', state: 'deleted' },
    ])
      expect(await api.call('POST', '/v1/tenants', body)).toMatchObject({
        status: 400,
        body: { error: { code: 'config_invalid' } },
      });
    expect((await limit({})).status).toBe(400);
    expect((await limit({ name: 'default' })).body.error.code).toBe('tenant_exists');
    for (const path of ['nobody', '11111111-1111-4111-8111-111111111111'])
      expect(await api.call('GET', `/v1/tenants/${path}`)).toMatchObject({
        status: 404,
        body: { error: { code: 'tenant_not_found' } },
      });
  });

  test('is managed by operators alone', async () => {
    const requests = [
      ['GET', '/v1/tenants'],
      ['POST', '/v1/tenants'],
      ['GET', `/v1/tenants/${id}`],
      ['PATCH', `/v1/tenants/${id}`],
      ['DELETE', `/v1/tenants/${id}`],
      ...['suspend', 'resume', 'deletion/approve', 'deletion/reject'].map((what) => [
        'POST',
        `/v1/tenants/${id}/${what}`,
      ]),
    ] as const;
    for (const [method, path] of requests) {
      const body = method === 'POST' || method === 'PATCH' ? { name: 'other' } : undefined;
      expect(await api.call(method as 'GET', path as string, body, own)).toMatchObject({
        status: 403,
        body: { error: { code: 'forbidden' } },
      });
    }
    expect((await api.call('GET', `/v1/tenants/${id}`)).body).toMatchObject({ name, state: 'active' });
  });

  test('that operators are of is neither suspended nor deleted', async () => {
    for (const answer of [
      await api.call('POST', '/v1/tenants/default/suspend'),
      await api.call('DELETE', '/v1/tenants/default'),
    ])
      expect(answer).toMatchObject({ status: 409, body: { error: { code: 'tenant_protected' } } });
  });
});

describe('the header that names a tenant', () => {
  test('lets an operator do in it what their scopes say, and read none of its values', async () => {
    put('openai');
    expect((await inTenant('POST', '/v1/federation/backends', backend())).status).toBe(201);
    await sync();
    expect((await inTenant('GET', '/v1/keys', undefined, id)).body.items).toHaveLength(1);
    expect((await api.call('GET', '/v1/keys')).body.items).toHaveLength(0);
    expect(await inTenant('GET', '/v1/secrets/bifrost/openai')).toMatchObject({
      status: 403,
      body: { error: { code: 'forbidden' } },
    });
    const [registered] = await api.query(
      `SELECT actor FROM keyferry.audit_log WHERE tenant_id = $1 AND action = 'backend.created'`,
      [id],
    );
    expect(registered).toEqual({ actor: 'operator:api-token' });
  });

  test('lets an operator name their own tenant, and keep what they may do in it', async () => {
    const answer = await inTenant('GET', '/v1/secrets/bifrost/openai', undefined, 'default');
    expect(answer.body.error.code).toBe('path_unmapped');
  });

  test('may name the tenant of the token that it comes with, by name or id', async () => {
    for (const named of [name, id])
      expect((await api.call('GET', '/v1/keys', undefined, own, { 'x-keyferry-tenant': named })).status).toBe(200);
  });

  test('is answered alike for a tenant of others and for one that there isn’t', async () => {
    const other = await make(`${name}-other`);
    for (const named of ['default', other.name, other.id, 'nobody', '', '22222222-2222-4222-8222-222222222222']) {
      const { status, body } = await api.call('GET', '/v1/keys', undefined, own, { 'x-keyferry-tenant': named });
      const { request_id: _, ...error } = body.error;
      expect([status, error]).toEqual([
        404,
        { code: 'tenant_not_found', message: `There is no tenant "${named}".`, action: expect.any(String) },
      ]);
    }
    expect((await inTenant('GET', '/v1/keys', undefined, 'nobody')).body.error.code).toBe('tenant_not_found');
  });

  test('says nothing to whoever has no token', async () => {
    for (const named of [name, 'nobody'])
      expect(await api.call('GET', '/v1/keys', undefined, 'no-token', { 'x-keyferry-tenant': named })).toMatchObject({
        status: 401,
      });
  });
});

describe('a suspended tenant', () => {
  test('has no cycles claimed and none worked on, and goes on where it was', async () => {
    put('openai');
    await addBackend();
    await claimDue(api.services);
    const open = () => api.query(`SELECT id, stage, state, attempts FROM keyferry.cycles WHERE tenant_id = $1`, [id]);
    const before = await open();
    expect(before).toMatchObject([{ stage: 'discover', state: 'open' }]);
    expect((await act('suspend')).body).toMatchObject({ state: 'suspended', counts: { open_cycles: 1 } });
    // What was enqueued is left, and not dispatched again meanwhile.
    const job = { tenant_id: id, cycle_id: String(before[0]?.id), stage: 'discover' as const, shard: -1, dispatch: 1 };
    await runJob(api.services, job, new AbortController().signal);
    await reconcile(api.services, -3_600_000);
    expect(await open()).toEqual(before);
    expect(await dispatchOf(job.cycle_id)).toBe(1);

    expect((await act('resume')).body.state).toBe('active');
    await api.work(id);
    expect(await open()).toMatchObject([{ id: job.cycle_id, state: 'completed' }]);
    expect((await read('openai')).status).toBe(200);
  });

  test('is looked at and set right by operators, who begin nothing for it', async () => {
    await addBackend();
    await act('suspend');
    expect((await inTenant('GET', '/v1/federation/backends')).body.items).toHaveLength(1);
    expect((await inTenant('PATCH', '/v1/federation/backends/main', { sync_interval: '1h' })).status).toBe(200);
    for (const path of ['/v1/federation/backends/main/sync', '/v1/federation/failures/replay'])
      expect(await inTenant('POST', path, {})).toMatchObject({
        status: 403,
        body: { error: { code: 'tenant_suspended' } },
      });
    expect((await act('suspend')).body.error.code).toBe('tenant_outdated');
    await act('resume');
    expect((await act('resume')).body.error.code).toBe('tenant_outdated');
  });

  test('has as much time as before for what it has to send', async () => {
    await addNotice(id, new Date(time + 60_000));
    await act('suspend');
    expect(await dueNotices()).not.toContain(id);
    time += 3_600_000;
    await act('resume');
    expect(await dueNotices()).toContain(id);
    const [notice] = await api.query('SELECT give_up_at FROM keyferry.notices WHERE tenant_id = $1', [id]);
    expect(notice?.give_up_at).toEqual(new Date(time + 60_000));
  });
});

describe('deleting', () => {
  test('happens at once where there are no keys, and the name is free then', async () => {
    await addBackend();
    expect(await api.call('DELETE', `/v1/tenants/${name}`)).toMatchObject({ status: 200, body: { state: 'deleted' } });
    expect((await api.call('GET', `/v1/tenants/${name}`)).body.error.code).toBe('tenant_not_found');
    expect((await api.call('GET', `/v1/tenants/${id}`)).body.state).toBe('deleted');
    expect((await make(name)).id).not.toBe(id);
    expect((await api.call('DELETE', `/v1/tenants/${id}`)).body.error.code).toBe('tenant_outdated');
    expect((await api.call('PATCH', `/v1/tenants/${id}`, { max_keys: 1 })).body.error.code).toBe('tenant_outdated');
    expect((await inTenant('GET', '/v1/keys', undefined, id)).body.error.code).toBe('tenant_not_found');
  });

  test('waits for a second word where there are keys, which may be no', async () => {
    await withKey();
    expect(await api.call('DELETE', `/v1/tenants/${name}`)).toMatchObject({
      status: 202,
      body: { state: 'deleting', deletion_requested_by: 'api-token', counts: { backends: 1, keys: 1 } },
    });
    expect((await api.call('DELETE', `/v1/tenants/${name}`)).body.error.code).toBe('tenant_outdated');
    expect((await act('resume')).body.error.code).toBe('tenant_outdated');
    expect((await act('deletion/reject')).body).toMatchObject({ state: 'suspended', deletion_requested_by: null });
    expect((await act('deletion/approve')).body.error.code).toBe('tenant_outdated');
    await act('resume');
    expect((await read('openai')).body.value).toBe('sk-openai');
    expect((await audited(id)).map(({ action }) => action).slice(-4)).toEqual(
      ['tenant.created', 'tenant.deletion_held', 'tenant.deletion_rejected', 'tenant.resumed'].slice(-4),
    );
  });

  test('leaves nothing that the master key opens, nor memory, and never touches a vault', async () => {
    await withKey();
    const before = await api.query('SELECT * FROM keyferry.encryption_keys WHERE tenant_id = $1', [id]);
    expect(before).toHaveLength(2);
    const calls = vault.kv(name).get('bifrost/openai');
    const second = await startTestApi({ beside: api, authenticators: [knownPeople] });
    try {
      expect((await second.call('GET', '/v1/secrets/bifrost/openai', undefined, own)).status).toBe(200);
      await api.call('DELETE', `/v1/tenants/${name}`);
      expect((await act('deletion/approve')).body).toMatchObject({ state: 'deleted' });
      // Another process forgets both keys and values.
      expect(second.services.keyring.held()).toContain(id);
      await forgetDeletedTenants(second.services.store, second.services.keyring, second.secrets.flush);
      expect(second.services.keyring.held()).not.toContain(id);
      const { status, body } = await second.call('GET', '/v1/secrets/bifrost/openai', undefined, own);
      expect([status, JSON.stringify(body)]).toEqual([404, expect.not.stringContaining('sk-openai')]);
    } finally {
      await second.close();
    }
    const after = await api.query('SELECT wrapped FROM keyferry.encryption_keys WHERE tenant_id = $1', [id]);
    expect(after.map(({ wrapped }) => (wrapped as Buffer).length)).toEqual([0, 0]);
    // Neither the wrapped keys nor any part of them are in a dump.
    const dump = await wholeDump();
    for (const { wrapped } of before) expect(dump).not.toContain((wrapped as Buffer).toString('hex').slice(0, 40));
    const masterKey = await loadMasterKey(api.services.store, { text: api.installation.masterKey });
    await expect(createKeyring(api.services.store, masterKey).ofTenant(id)).rejects.toMatchObject({
      code: 'tenant_not_found',
    });
    expect(vault.kv(name).get('bifrost/openai')).toEqual(calls);
  });

  test('ends what is under way, and whoever may do something', async () => {
    await withKey();
    await api.query(
      `WITH someone AS (INSERT INTO keyferry.identities (tenant_id, name, scopes, created_by, created_at, updated_at)
         VALUES ($1, 'someone', '{}', 'x', now(), now()) RETURNING id, tenant_id)
       INSERT INTO keyferry.tokens (tenant_id, identity_id, name, digest, shown, created_by, created_at)
       SELECT tenant_id, id, 'x', decode(repeat('ab', 32), 'hex'), 'kf_', 'x', now() FROM someone`,
      [id],
    );
    await api.call('POST', '/v1/federation/backends/main/sync', undefined, own);
    const revision = await revisionOf(id);
    await api.call('DELETE', `/v1/tenants/${name}`);
    await act('deletion/approve');
    expect(await revisionOf(id)).toBeGreaterThan(revision);
    expect(await api.query(`SELECT FROM keyferry.cycles WHERE tenant_id = $1 AND state = 'open'`, [id])).toEqual([]);
    expect(await api.query('SELECT FROM keyferry.tokens WHERE tenant_id = $1 AND revoked_at IS NULL', [id])).toEqual(
      [],
    );
    expect((await addBackend('late')).body.error.code).toBe('tenant_not_found');
  });

  test('is followed by the removal of all rows, batch by batch, but for what tells who did what', async () => {
    await withKey();
    await addNotice(id, new Date(time + 60_000));
    await api.call('POST', '/v1/keys/revoke', { paths: ['bifrost/openai'], reason: 'leaked' }, own);
    await api.call('DELETE', `/v1/tenants/${name}`);
    await act('deletion/approve');
    expect(await purgeDeleted(api.services)).toBe(0);
    time += 600_000;
    expect(await purgeDeleted(api.services)).toBeGreaterThan(5);
    expect(Object.keys(await rowsOf(id)).sort()).toEqual([
      'access_revisions',
      'audit_batches',
      'audit_log',
      'key_changes',
    ]);
    expect((await api.call('GET', `/v1/tenants/${id}`)).body.purged_at).not.toBeNull();
    expect(await purgeDeleted(api.services)).toBe(0);
    expect((await audited(id)).at(-1)).toMatchObject({ action: 'tenant.purged' });
  });
});

describe('limits', () => {
  test('refuse another backend, and one more once there is room', async () => {
    await limit({ max_backends: 1 });
    expect((await addBackend('one')).status).toBe(201);
    expect(await addBackend('two')).toMatchObject({ status: 409, body: { error: { code: 'tenant_limit_reached' } } });
    await limit({ max_backends: 2 });
    expect((await addBackend('two')).status).toBe(201);
    // Below what there is: it stays.
    expect((await limit({ max_backends: 0 })).body).toMatchObject({ max_backends: 0, counts: { backends: 2 } });
    expect((await addBackend('three')).body.error.code).toBe('tenant_limit_reached');
    await limit({ max_backends: null });
    expect((await addBackend('three')).status).toBe(201);
  });

  test('take in new keys until they are reached, name the others, and leave the existing ones to be updated', async () => {
    await limit({ max_keys: 2 });
    for (const path of ['a', 'b', 'c', 'd']) put(path);
    await addBackend();
    const first = await sync();
    expect(first).toMatchObject({ state: 'completed', counts: { discovered: 4, added: 2, skipped: 2 }, issues: 2 });
    const issues = (await api.call('GET', `/v1/federation/cycles/${first.id}/issues`, undefined, own)).body.items;
    expect(issues.map(({ code, outcome }: Record<string, string>) => [code, outcome])).toEqual([
      ['tenant_limit_reached', 'skipped'],
      ['tenant_limit_reached', 'skipped'],
    ]);
    const keys = (await api.call('GET', '/v1/keys', undefined, own)).body.items;
    const [known] = keys.map(({ path }: { path: string }) => path.replace('bifrost/', ''));
    put(known, 'sk-new');
    const second = await sync();
    expect(second).toMatchObject({ state: 'completed', counts: { discovered: 4, updated: 1, skipped: 2, added: 0 } });
    expect((await read(known)).body.value).toBe('sk-new');
    await limit({ max_keys: 3 });
    expect((await sync()).counts).toMatchObject({ discovered: 4, added: 1, skipped: 1 });
    await limit({ max_keys: null });
    expect((await sync()).counts).toMatchObject({ discovered: 4, added: 1, skipped: 0 });
    expect((await api.call('GET', `/v1/tenants/${name}`)).body.counts.keys).toBe(4);
  });

  test.each(['local', 'write_through'])(
    'refuse to write a new key where writes are %s, and let an existing one be written',
    async (writes) => {
      put('a');
      await addBackend('main', { access_mode: 'read_and_write', writes });
      await sync();
      await limit({ max_keys: 1 });
      const write = async (path: string) => {
        const { statusCode, payload } = await api.app.inject({
          method: 'PUT',
          url: `/v1/secrets/bifrost/${path}`,
          headers: { authorization: `Bearer ${own}` },
          payload: { value: 'sk-written' },
        });
        return [statusCode, JSON.parse(payload).error?.code];
      };
      expect(await write('a')).toEqual([200, undefined]);
      expect(await write('b')).toEqual([409, 'tenant_limit_reached']);
      expect(vault.kv(name).get('bifrost/b')).toBeUndefined();
      await limit({ max_keys: 2 });
      expect(await write('b')).toEqual([201, undefined]);
    },
  );

  test('let no more cycles be open at a time, and two thousand due backends keep nobody else waiting', async () => {
    const crowd = await make(`${name}-crowd`);
    await addBackend();
    const keys = await api.services.keyring.ofTenant(crowd.id);
    const [row] = await api.query('SELECT * FROM keyferry.backends WHERE tenant_id = $1', [id]);
    const columns = Object.keys(row ?? {});
    const own = new Set(['id', 'tenant_id', 'name', 'credentials_key_id']);
    await api.query(
      `INSERT INTO keyferry.backends (id, tenant_id, name, credentials_key_id, ${columns.filter((column) => !own.has(column)).join(', ')})
       SELECT gen_random_uuid(), $1, 'b' || n, $2, ${columns
         .filter((column) => !own.has(column))
         .map((column) => `b.${column}`)
         .join(', ')}
       FROM keyferry.backends b, generate_series(1, 2000) n WHERE b.tenant_id = $3`,
      [crowd.id, keys.encryptionKeyId, id],
    );
    const open = async (tenantId: string) => {
      const [{ count: many } = {}] = await api.query(
        `SELECT count(*)::integer AS count FROM keyferry.cycles WHERE tenant_id = $1 AND state = 'open'`,
        [tenantId],
      );
      return many;
    };
    await claimDue(api.services);
    expect([await open(crowd.id), await open(id)]).toEqual([100, 1]);
    await api.call('PATCH', `/v1/tenants/${crowd.id}`, { max_open_cycles: 120 });
    await claimDue(api.services);
    await claimDue(api.services);
    expect(await open(crowd.id)).toBe(120);
  });
});

async function withKey(): Promise<void> {
  put('openai');
  await addBackend();
  await sync();
  expect((await read('openai')).body.value).toBe('sk-openai');
}

const dispatchOf = async (cycleId: string) =>
  (await api.query('SELECT dispatch FROM keyferry.cycles WHERE id = $1', [cycleId]))[0]?.dispatch;

const revisionOf = async (tenantId: string) =>
  Number(
    (await api.query('SELECT revision FROM keyferry.access_revisions WHERE tenant_id = $1', [tenantId]))[0]?.revision,
  );

const dueNotices = async () =>
  (await api.query('SELECT keyferry.tenants_with_due_notices($1) AS id', [new Date(time)])).map((row) => row.id);

async function addNotice(tenantId: string, giveUpAt: Date): Promise<void> {
  const keys = await api.services.keyring.ofTenant(tenantId);
  await api.query(
    `WITH channel AS (INSERT INTO keyferry.channels (id, tenant_id, name, kind, config, secret, secret_key_id, created_at, updated_at)
       VALUES (gen_random_uuid(), $1, 'ops', 'slack', '{}', '', $2, now(), now()) RETURNING id)
     INSERT INTO keyferry.notices (tenant_id, rule_id, rule_name, channel_id, channel_name, group_key, state, message, ready_at,
       next_attempt_at, give_up_at, created_at)
     SELECT $1, gen_random_uuid(), 'rule', id, 'ops', 'x', 'pending', '{}', $3, $3, $4, $3 FROM channel`,
    [tenantId, keys.encryptionKeyId, new Date(time - 1000), giveUpAt],
  );
}

/** How many rows each table has of a tenant, where it has any. */
async function rowsOf(tenantId: string): Promise<Record<string, number>> {
  const tables = await api.query(
    `SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'keyferry' AND column_name = 'tenant_id'`,
  );
  const counts: Record<string, number> = {};
  for (const { name: table } of tables) {
    const [row] = await api.query(`SELECT count(*)::integer AS count FROM keyferry.${table} WHERE tenant_id = $1`, [
      tenantId,
    ]);
    if (Number(row?.count) > 0) counts[String(table)] = Number(row?.count);
  }
  return counts;
}

async function wholeDump(): Promise<string> {
  const tables = await api.query(`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'keyferry'`);
  const texts: string[] = [];
  for (const { name: table } of tables)
    for (const row of await api.query(`SELECT t::text AS text FROM keyferry.${table} t`)) texts.push(String(row.text));
  return texts.join('\n');
}
