import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { holders } from './support/holders.ts';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** Who may do what, as it is set and asked about. */

const cleanup = new AsyncDisposableStack();
const known = holders();
const tenant = '00000000-0000-4000-8000-000000000001';
const elsewhere = '00000000-0000-4000-8000-0000000000e1';
let api: TestApi;
let clock = new Date('2026-05-01T00:00:00Z');
/** Ids of identities and issuers by their names. */
let ids: Record<string, string>;

beforeAll(async () => {
  api = await startTestApi({ authenticators: [known], now: () => clock });
  cleanup.defer(() => api.close());
  await api.query(`INSERT INTO keyferry.tenants (id, name) VALUES ('${elsewhere}', 'elsewhere')`);
  const rows = await api.query(`
    INSERT INTO keyferry.identities (tenant_id, name, scopes, state, created_by, created_at, updated_at) VALUES
      ('${tenant}', 'shop', '{}', 'active', 'ann', now(), now()),
      ('${tenant}', 'admin', '{settings}', 'active', 'ann', now(), now()),
      ('${tenant}', 'watcher', '{federation:read}', 'active', 'ann', now(), now()),
      ('${tenant}', 'off', '{}', 'disabled', 'ann', now(), now()),
      ('${tenant}', 'gone', '{}', 'removed', 'ann', now(), now()),
      ('${elsewhere}', 'theirs', '{settings}', 'active', 'ann', now(), now())
    RETURNING name, id`);
  ids = Object.fromEntries(rows.map(({ name, id }) => [name, id]));
  for (const [owner, name, mappings] of [
    [tenant, 'ci', [{ claims: { sub: 'shop' }, identity_id: ids.shop }]],
    [elsewhere, 'theirs-too', []],
  ] as const) {
    const [row] = await api.query(
      `INSERT INTO keyferry.token_issuers (tenant_id, name, kind, issuer, audiences, algorithms, mappings, created_by, created_at, updated_at)
       VALUES ($1, $2, 'oidc', 'https://ci.test', '{keyferry}', '{RS256}', $3, 'ann', now(), now()) RETURNING id`,
      [owner, name, JSON.stringify(mappings)],
    );
    ids[name] = String(row?.id);
  }
});
afterAll(() => cleanup.disposeAsync());

const policy = (more: object = {}) => ({
  name: 'shop-reads',
  path_glob: 'shop/**',
  permissions: ['read'],
  bindings: [{ identity: 'shop' }],
  ...more,
});
const create = (body: object, by?: string) => api.call('POST', '/v1/policies', body, by);
const change = (name: string, body: object) => api.call('PATCH', `/v1/policies/${name}`, body);
const remove = (name: string) => api.call('DELETE', `/v1/policies/${name}`);
const check = (body: object) => api.call('POST', '/v1/policies/check', body);
const revision = async () =>
  Number(
    (await api.query(`SELECT revision FROM keyferry.access_revisions WHERE tenant_id = '${tenant}'`))[0]?.revision,
  );
const codeOf = ({ status, body }: Awaited<ReturnType<typeof create>>) => [status, body.error?.code];

test('a policy is made, shown, changed and removed, by its id or name; each raises the revision and is audited', async () => {
  const before = await revision();
  const bindings = [{ identity: ids.shop }, { issuer: 'ci', claims: { sub: 'repo:*' } }];
  const made = await create(policy({ bindings, ip_ranges: ['10.0.0.0/8'], expires_at: '2026-06-01T02:00:00+02:00' }));
  expect(made).toMatchObject({
    status: 201,
    headers: { location: `/v1/policies/${made.body.id}` },
    body: {
      name: 'shop-reads',
      path_glob: 'shop/**',
      permissions: ['read'],
      ip_ranges: ['10.0.0.0/8'],
      expires_at: '2026-06-01T00:00:00.000Z',
      bindings: [
        { identity_id: ids.shop, identity: 'shop' },
        { issuer_id: ids.ci, issuer: 'ci', claims: { sub: 'repo:*' } },
      ],
      created_by: 'api-token',
    },
  });
  expect((await api.call('GET', `/v1/policies/${made.body.id}`)).body).toEqual(made.body);
  expect((await api.call('GET', '/v1/policies/shop-reads')).body).toEqual(made.body);
  const changed = await change('shop-reads', {
    name: 'shop-all',
    permissions: ['admin', 'admin'],
    bindings: [{ identity: 'shop' }],
  });
  expect(changed).toMatchObject({
    status: 200,
    body: { name: 'shop-all', permissions: ['admin'], ip_ranges: ['10.0.0.0/8'] },
  });
  expect(await remove('shop-all')).toMatchObject({ status: 200, body: { id: made.body.id, name: 'shop-all' } });
  expect(codeOf(await api.call('GET', '/v1/policies/shop-all'))).toEqual([404, 'policy_not_found']);
  expect(codeOf(await remove('shop-all'))).toEqual([404, 'policy_not_found']);
  expect(await revision()).toBe(before + 3);
  const audited = await api.query(
    `SELECT action, actor, target, details FROM keyferry.audit_log WHERE action LIKE 'policy.%' ORDER BY batch, place`,
  );
  expect(audited).toMatchObject([
    { action: 'policy.created', actor: 'api-token', target: 'shop-reads', details: { path_glob: 'shop/**' } },
    {
      action: 'policy.updated',
      target: 'shop-all',
      details: { before: { permissions: ['read'] }, after: { permissions: ['admin'] } },
    },
    { action: 'policy.removed', target: 'shop-all' },
  ]);
});

test('policies are listed in pages', async () => {
  for (const name of ['c', 'a', 'b']) expect((await create(policy({ name }))).status).toBe(201);
  const first = (await api.call('GET', '/v1/policies?limit=2')).body;
  const rest = (await api.call('GET', `/v1/policies?limit=2&cursor=${first.next_cursor}`)).body;
  expect([...first.items, ...rest.items].map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  expect(rest.next_cursor).toBeNull();
  for (const name of ['a', 'b', 'c']) await remove(name);
});

test.each<[string, object, number, string]>([
  ['a glob that is none', { path_glob: 'a/**b' }, 400, 'glob_invalid'],
  ['an empty glob', { path_glob: '' }, 400, 'glob_invalid'],
  ['an unknown permission', { permissions: ['fly'] }, 400, 'policy_invalid'],
  ['no permission', { permissions: [] }, 400, 'policy_invalid'],
  ['an address that is none', { ip_ranges: ['10.0.0'] }, 400, 'policy_invalid'],
  ['a network that is too narrow', { ip_ranges: ['10.0.0.0/33'] }, 400, 'policy_invalid'],
  ['a name for an address', { ip_ranges: ['localhost'] }, 400, 'policy_invalid'],
  ['an end in the past', { expires_at: '2026-04-30T23:59:59Z' }, 400, 'policy_invalid'],
  ['an end that is none', { expires_at: 'tomorrow' }, 400, 'policy_invalid'],
  ['nobody', { bindings: [] }, 400, 'policy_invalid'],
  ['an issuer without claims', { bindings: [{ issuer: 'ci', claims: {} }] }, 400, 'policy_invalid'],
  ['an issuer with any claim', { bindings: [{ issuer: 'ci', claims: { sub: '*' } }] }, 400, 'policy_invalid'],
  ['claims without an issuer', { bindings: [{ claims: { sub: 'a' } }] }, 400, 'policy_invalid'],
  [
    'an identity and an issuer in one',
    { bindings: [{ identity: 'shop', issuer: 'ci', claims: { a: 'b' } }] },
    400,
    'policy_invalid',
  ],
  ['a member that is misspelt', { ip_range: [] }, 400, 'policy_invalid'],
  ['a name like an id', { name: tenant }, 400, 'policy_invalid'],
  ['all paths, for one without settings', { path_glob: '**' }, 400, 'policy_too_broad'],
  [
    'all paths, for one with and one without',
    { path_glob: '*/**', bindings: [{ identity: 'admin' }, { identity: 'shop' }] },
    400,
    'policy_too_broad',
  ],
  [
    'all paths, for an issuer',
    { path_glob: '**', bindings: [{ issuer: 'ci', claims: { sub: 'a' } }] },
    400,
    'policy_too_broad',
  ],
  ['an identity that isn’t there', { bindings: [{ identity: 'nobody' }] }, 404, 'identity_not_found'],
  ['an identity that was removed', { bindings: [{ identity: 'gone' }] }, 404, 'identity_not_found'],
  ['an identity of another tenant', { bindings: [{ identity: 'theirs' }] }, 404, 'identity_not_found'],
  ['an issuer that isn’t there', { bindings: [{ issuer: 'none', claims: { a: 'b' } }] }, 404, 'issuer_not_found'],
  [
    'an issuer of another tenant',
    { bindings: [{ issuer: 'theirs-too', claims: { a: 'b' } }] },
    404,
    'issuer_not_found',
  ],
])('%s is refused, when made and when changed, and nothing is changed', async (_what, wrong, status, code) => {
  const before = await revision();
  expect(codeOf(await create(policy(wrong)))).toEqual([status, code]);
  expect(await revision()).toBe(before);
  const kept = (await create(policy({ name: 'kept' }))).body;
  expect(codeOf(await change('kept', wrong))).toEqual([status, code]);
  expect((await api.call('GET', '/v1/policies/kept')).body).toEqual(kept);
  await remove('kept');
});

test('an id of another tenant’s is answered as one that is nobody’s', async () => {
  const answers = [];
  for (const id of [ids.theirs ?? '', '00000000-0000-4000-8000-00000000dead']) {
    const { status, body } = await create(policy({ bindings: [{ identity: id }] }));
    answers.push([status, body.error.code, body.error.message.replaceAll(id, '<id>')]);
  }
  expect(answers[0]).toEqual(answers[1]);
});

test('two policies of one name are refused', async () => {
  await create(policy({ name: 'one' }));
  await create(policy({ name: 'two' }));
  expect(codeOf(await create(policy({ name: 'one' })))).toEqual([409, 'policy_exists']);
  expect(codeOf(await change('two', { name: 'one' }))).toEqual([409, 'policy_exists']);
  for (const name of ['one', 'two']) await remove(name);
});

test('a policy of all paths is for identities that may change settings, and stays theirs alone', async () => {
  expect((await create(policy({ path_glob: '**', bindings: [{ identity: 'admin' }] }))).status).toBe(201);
  expect(codeOf(await change('shop-reads', { bindings: [{ identity: 'shop' }] }))).toEqual([400, 'policy_too_broad']);
  expect((await check({ identity: 'admin', permission: 'read', path: 'a' })).body.granted).toBe(true);
  await api.query(`UPDATE keyferry.identities SET scopes = '{}' WHERE name = 'admin'`);
  expect((await check({ identity: 'admin', permission: 'read', path: 'a' })).body).toMatchObject({
    granted: false,
    misses: [{ name: 'shop-reads', reasons: ['too_broad'] }],
  });
  expect((await change('shop-reads', { path_glob: 'shop/**' })).status).toBe(200);
  await api.query(`UPDATE keyferry.identities SET scopes = '{settings}' WHERE name = 'admin'`);
  await remove('shop-reads');
});

test('a tenant has so many policies, and no more', async () => {
  await api.query(`INSERT INTO keyferry.policies (tenant_id, name, path_glob, permissions, bindings, created_by, created_at, updated_at)
    SELECT '${tenant}', 'many-' || n, 'many/' || n, '{read}', '[]', 'ann', now(), now() FROM generate_series(1, 20000) n`);
  expect(codeOf(await create(policy()))).toEqual([409, 'tenant_limit_reached']);
  expect((await change('many-1', { permissions: ['list'] })).status).toBe(200);
  expect((await check({ identity: 'shop', permission: 'read', path: 'many/7' })).body).toMatchObject({
    granted: false,
    misses: [{ name: 'many-7', reasons: ['not_bound'] }],
  });
  await api.query(`DELETE FROM keyferry.policies WHERE name LIKE 'many-%'`);
});

test('policies of a tenant are for so much in all, since each process has them in memory', async () => {
  await api.query(`INSERT INTO keyferry.policies (tenant_id, name, path_glob, permissions, bindings, created_by, created_at, updated_at)
    SELECT '${tenant}', 'large-' || n, 'large/' || n, '{read}', jsonb_build_array(jsonb_build_object('issuer_id', gen_random_uuid(),
      'claims', jsonb_build_object('sub', repeat('x', 1000000)))), 'ann', now(), now() FROM generate_series(1, 17) n`);
  expect(codeOf(await create(policy()))).toEqual([409, 'tenant_limit_reached']);
  expect(codeOf(await change('large-1', { ip_ranges: ['10.0.0.0/8'] }))).toEqual([409, 'tenant_limit_reached']);
  expect((await change('large-1', { permissions: ['list'] })).status).toBe(200);
  await api.query(`DELETE FROM keyferry.policies WHERE name LIKE 'large-%'`);
});

test('policies are changed while those whom they are for are removed, and nobody waits in vain', async () => {
  const names = Array.from({ length: 8 }, (_, index) => `going-${index}`);
  for (const name of names) await api.call('POST', '/v1/identities', { name });
  const bindings = names.map((identity) => ({ identity }));
  const made = names.map((name) => create({ ...policy(), name, path_glob: `${name}/**`, bindings }));
  expect((await Promise.all(made)).map(({ status }) => status)).toEqual(names.map(() => 201));
  const [before] = await api.query('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()');
  const done = await Promise.all(
    names.flatMap((name) => [change(name, { permissions: ['list'] }), api.call('DELETE', `/v1/identities/${name}`)]),
  );
  expect(done.map(({ status }) => status)).toEqual(done.map(() => 200));
  await api.query('SELECT pg_stat_clear_snapshot()');
  const [after] = await api.query('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()');
  expect(after).toEqual(before);
  const [bound] = await api.query(
    `SELECT count(*) FROM keyferry.policies WHERE name LIKE 'going-%' AND bindings <> '[]'`,
  );
  expect(Number(bound?.count)).toBe(0);
  for (const name of names) await remove(name);
});

describe('whoever lacks the scope settings', () => {
  test('can do nothing with policies, whatever else they may', async () => {
    known.set(
      'mighty',
      [{ pathGlob: 'a/**', permissions: ['admin'] }],
      ['federation:read', 'federation:write', 'jobs:replay', 'audit:read'],
    );
    const id = (await create(policy())).body.id;
    for (const [method, path, body] of [
      ['GET', '/v1/policies'],
      ['GET', `/v1/policies/${id}`],
      ['POST', '/v1/policies', policy({ name: 'mine' })],
      ['PATCH', `/v1/policies/${id}`, { permissions: ['admin'] }],
      ['DELETE', `/v1/policies/${id}`],
      ['POST', '/v1/policies/check', { identity: 'shop', permission: 'read', path: 'a' }],
    ] as const)
      expect(codeOf(await api.call(method, path, body, 'mighty'))).toEqual([403, 'forbidden']);
    await remove('shop-reads');
  });
});

describe('asked whether somebody may', () => {
  const ask = async (more: object) =>
    (await check({ identity: 'shop', permission: 'read', path: 'shop/a', ...more })).body;
  beforeAll(async () => {
    await create(policy({ name: 'reads', ip_ranges: ['10.0.0.0/8', '2001:db8::/32'] }));
    await create(policy({ name: 'ends', path_glob: 'soon/*', expires_at: '2026-05-01T01:00:00Z' }));
    await create(
      policy({ name: 'jobs', path_glob: 'jobs/*', bindings: [{ issuer: 'ci', claims: { '/run/env': 'prod' } }] }),
    );
    await create(policy({ name: 'disabled', path_glob: 'off/*', bindings: [{ identity: 'off' }] }));
  });
  afterAll(async () => {
    for (const name of ['reads', 'ends', 'jobs', 'disabled']) await remove(name);
  });

  test.each(['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::1'])('the policy is told, from %s', async (address) => {
    expect(await ask({ address })).toMatchObject({
      granted: true,
      policy: { name: 'reads' },
      identity: { name: 'shop' },
      misses: [],
    });
  });

  test.each<[string, object, string[]]>([
    ['the address', { address: '192.0.2.1' }, ['address']],
    ['an address that nobody knows', {}, ['address']],
    ['the permission', { address: '10.0.0.1', permission: 'write' }, ['permission']],
    ['the path', { address: '10.0.0.1', path: 'other/a' }, ['path']],
    ['whom it is for', { address: '10.0.0.1', identity: 'admin' }, ['not_bound']],
    ['several', { permission: 'write' }, ['address', 'permission']],
  ])('%s is what is in the way', async (_what, more, reasons) => {
    const { granted, policy: found, misses } = await ask(more);
    expect([granted, found]).toEqual([false, null]);
    expect(misses).toContainEqual(expect.objectContaining({ name: 'reads', reasons }));
  });

  test('a policy that has ended is in its own way', async () => {
    expect((await ask({ path: 'soon/a' })).granted).toBe(true);
    clock = new Date('2026-05-01T01:00:00Z');
    expect(await ask({ path: 'soon/a' })).toMatchObject({
      granted: false,
      misses: [{ name: 'ends', reasons: ['expired'] }, {}],
    });
    clock = new Date('2026-05-01T00:00:00Z');
  });

  test('claims are asked about as a token would bring them', async () => {
    const of = (claims: object, more: object = {}) =>
      check({ issuer: 'ci', claims, permission: 'read', path: 'jobs/a', ...more });
    expect((await of({ run: { env: 'prod' } })).body).toMatchObject({
      granted: true,
      policy: { name: 'jobs' },
      identity: null,
    });
    expect((await of({ run: { env: 'test' } })).body).toMatchObject({ granted: false });
    const mapped = await of({ sub: 'shop' }, { path: 'shop/a', address: '10.0.0.1' });
    expect(mapped.body).toMatchObject({ granted: true, policy: { name: 'reads' }, identity: { name: 'shop' } });
  });

  test('the scope that shows all names grants listing, and a disabled identity nothing', async () => {
    expect(await ask({ identity: 'watcher', permission: 'list', path: 'any' })).toMatchObject({
      granted: true,
      scope: 'federation:read',
      policy: null,
    });
    expect((await ask({ identity: 'watcher', path: 'any' })).granted).toBe(false);
    expect(await ask({ identity: 'off', path: 'off/a' })).toMatchObject({
      granted: false,
      identity: { state: 'disabled' },
    });
  });

  test.each<[string, object, number, string]>([
    ['nobody there', { identity: 'nobody' }, 404, 'identity_not_found'],
    ['another tenant’s', { identity: 'theirs' }, 404, 'identity_not_found'],
    ['a path that is none', { path: 'a//b' }, 400, 'request_invalid'],
    ['an unknown permission', { permission: 'fly' }, 400, 'policy_invalid'],
    ['an address that is none', { address: 'here' }, 400, 'policy_invalid'],
  ])('%s is refused', async (_what, more, status, code) => {
    expect(codeOf(await check({ identity: 'shop', permission: 'read', path: 'a', ...more }))).toEqual([status, code]);
  });
});
