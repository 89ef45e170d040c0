import { defaultTenantId } from '@keyferry/store';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi, token } from './support/test-api.ts';

let api: TestApi;
let at = new Date('2026-06-01T12:00:00Z');
const pass = (milliseconds: number) => {
  at = new Date(at.getTime() + milliseconds);
};

beforeAll(async () => {
  api = await startTestApi({ now: () => at });
});
afterAll(() => api.close());

async function identity(name: string, more: object = {}) {
  const made = await api.call('POST', '/v1/identities', { name, ...more });
  expect(made.status).toBe(201);
  return made.body;
}

async function tokenOf(name: string, more: object = {}) {
  const made = await api.call('POST', `/v1/identities/${name}/tokens`, more);
  expect(made.status).toBe(201);
  return made.body;
}

const auditOf = (action: string) =>
  api.query('SELECT actor, target, details FROM keyferry.audit_log WHERE action = $1 ORDER BY batch, place', [action]);

describe('an identity', () => {
  test('is made, shown by id and name, listed in pages, changed and removed, and each change is in the audit log', async () => {
    const made = await identity('ci', { description: 'builds', scopes: ['federation:read', 'federation:read'] });
    expect(made).toMatchObject({
      name: 'ci',
      description: 'builds',
      scopes: ['federation:read'],
      operator: false,
      state: 'active',
      created_by: 'api-token',
    });
    for (const named of ['ci', made.id]) expect((await api.call('GET', `/v1/identities/${named}`)).body).toEqual(made);
    for (const name of ['a', 'b', 'c']) await identity(`page-${name}`);
    const names: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body } = await api.call('GET', `/v1/identities?limit=2${cursor && `&cursor=${cursor}`}`);
      names.push(...body.items.map((item: { name: string }) => item.name));
      cursor = body.next_cursor;
    }
    expect(names).toEqual(['ci', 'page-a', 'page-b', 'page-c']);
    const changed = await api.call('PATCH', '/v1/identities/ci', { scopes: ['jobs:replay'], description: '' });
    expect(changed.body).toMatchObject({ id: made.id, scopes: ['jobs:replay'], description: '' });
    const removed = await api.call('DELETE', '/v1/identities/ci');
    expect(removed.body).toEqual({ id: made.id, name: 'ci', tokens_revoked: 0 });
    for (const named of ['ci', made.id])
      expect(await api.call('GET', `/v1/identities/${named}`)).toMatchObject({
        status: 404,
        body: { error: { code: 'identity_not_found' } },
      });
    for (const action of ['identity.created', 'identity.updated', 'identity.removed'])
      expect((await auditOf(action)).at(0)).toMatchObject({
        actor: 'api-token',
        target: 'ci',
        details: { identity_id: made.id },
      });
  });

  test('can have the name of one that was removed, and not of one that is there', async () => {
    const first = await identity('again');
    expect(await api.call('POST', '/v1/identities', { name: 'again' })).toMatchObject({
      status: 409,
      body: { error: { code: 'identity_exists' } },
    });
    await api.call('DELETE', '/v1/identities/again');
    expect((await identity('again')).id).not.toBe(first.id);
  });

  test.each([
    [{ name: '' }],
    [{ name: 'has space' }],
    [{ name: 'api-token' }],
    [{ name: 'Keyferry' }],
    [{ name: '00000000-0000-4000-8000-00000000dead' }],
    [{ name: 'x', scopes: ['everything'] }],
    [{ name: 'x', description: 'a\nb' }],
    [{ name: 'x', more: true }],
  ])('%j is refused', async (body) => {
    expect(await api.call('POST', '/v1/identities', body)).toMatchObject({
      status: 400,
      body: { error: { code: 'config_invalid' } },
    });
  });
});

describe('a token', () => {
  test('is shown once, opens what its identity may, and is kept as a digest alone', async () => {
    const { id } = await identity('reader', { scopes: ['federation:read'] });
    const made = await tokenOf('reader', { name: 'laptop' });
    expect(made.token).toMatch(/^kf_[A-Za-z0-9_-]{43}$/);
    expect(made).toMatchObject({ identity_id: id, name: 'laptop', state: 'active', expires_at: null });
    expect(made.shown).toBe(made.token.slice(0, 8));
    expect((await api.call('GET', '/v1/whoami', undefined, made.token)).body).toEqual({
      actor: 'reader',
      identity_id: id,
      tenant: { id: defaultTenantId, name: 'default' },
      scopes: ['federation:read'],
      operator: false,
    });
    expect((await api.call('GET', '/v1/federation/backends', undefined, made.token)).status).toBe(200);
    expect(await api.call('GET', '/v1/identities', undefined, made.token)).toMatchObject({
      status: 403,
      body: { error: { code: 'forbidden', details: { scope: 'settings' } } },
    });
    const listed = await api.call('GET', '/v1/identities/reader/tokens');
    const { token: _, ...shown } = made;
    expect(listed.body.items).toMatchObject([{ ...shown, last_used_at: null }]);
    const dump = JSON.stringify([
      await api.query('SELECT * FROM keyferry.tokens'),
      await api.query('SELECT * FROM keyferry.audit_log'),
      listed.body,
      api.lines,
    ]);
    expect(dump).not.toContain(made.token);
    expect(dump).not.toContain(made.token.slice(10));
  });

  test('that was used shows when, to the minute, and using it is written once a minute', async () => {
    await identity('used');
    const { token: used } = await tokenOf('used');
    const lastUsed = async () => {
      await api.identities.uses.flush();
      return (await api.call('GET', '/v1/identities/used/tokens')).body.items[0].last_used_at;
    };
    const first = at.toISOString();
    await api.call('GET', '/v1/whoami', undefined, used);
    expect(await lastUsed()).toBe(first);
    pass(30_000);
    await api.call('GET', '/v1/whoami', undefined, used);
    expect(await lastUsed()).toBe(first);
    pass(30_000);
    await api.call('GET', '/v1/whoami', undefined, used);
    expect(await lastUsed()).toBe(at.toISOString());
  });

  test('is revoked by its name or id, and only once', async () => {
    await identity('revoking');
    const one = await tokenOf('revoking', { name: 'one' });
    for (const name of ['same', 'same']) await tokenOf('revoking', { name });
    const revoked = await api.call('DELETE', '/v1/identities/revoking/tokens/one');
    expect(revoked.body).toMatchObject({ id: one.id, state: 'revoked', revoked_at: at.toISOString() });
    for (const named of ['one', one.id, 'same', 'none'])
      expect(await api.call('DELETE', `/v1/identities/revoking/tokens/${named}`)).toMatchObject({
        status: 404,
        body: { error: { code: 'token_not_found' } },
      });
    expect((await auditOf('token.revoked')).at(-1)).toMatchObject({
      actor: 'api-token',
      target: 'revoking',
      details: { token_id: one.id, name: 'one' },
    });
  });

  test('of another identity is not revoked by the way', async () => {
    await identity('mine');
    await identity('theirs');
    const theirs = await tokenOf('theirs');
    expect((await api.call('DELETE', `/v1/identities/mine/tokens/${theirs.id}`)).status).toBe(404);
    expect((await api.call('GET', '/v1/whoami', undefined, theirs.token)).status).toBe(200);
  });

  test('is listed in pages, the newest first', async () => {
    await identity('many');
    for (const name of ['first', 'second', 'third', 'fourth']) {
      await tokenOf('many', { name });
      // Some are made in the same moment.
      if (name === 'second') pass(1);
    }
    const names: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body } = await api.call('GET', `/v1/identities/many/tokens?limit=1${cursor && `&cursor=${cursor}`}`);
      names.push(...body.items.map((item: { name: string }) => item.name));
      cursor = body.next_cursor;
    }
    expect(names.slice(0, 2).sort()).toEqual(['fourth', 'third']);
    expect(names.slice(2).sort()).toEqual(['first', 'second']);
  });

  test('is not made where there are 100 that are valid; those that are over don’t count', async () => {
    const { id } = await identity('full');
    await api.query(
      `INSERT INTO keyferry.tokens (tenant_id, identity_id, name, digest, shown, created_by, created_at, revoked_at, expires_at)
       SELECT $1, $2, 'n' || n, sha256(convert_to('full' || n, 'UTF8')), 'kf_', 'test', $3,
         CASE WHEN n <= 5 THEN $3::timestamptz END, CASE WHEN n BETWEEN 6 AND 10 THEN $3::timestamptz END
       FROM generate_series(1, 109) n`,
      [defaultTenantId, id, at],
    );
    await tokenOf('full');
    expect(await api.call('POST', '/v1/identities/full/tokens', {})).toMatchObject({
      status: 409,
      body: { error: { code: 'limit_reached' } },
    });
  });

  test('made twice at once is two tokens, and an identity made twice at once is one', async () => {
    await identity('twice');
    const both = await Promise.all([tokenOf('twice'), tokenOf('twice')]);
    expect(new Set(both.map((made) => made.token)).size).toBe(2);
    const names = await Promise.all([1, 2, 3].map(() => api.call('POST', '/v1/identities', { name: 'once' })));
    expect(names.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
  });

  test.each([[{ expires_in: '1s' }], [{ expires_in: 'soon' }], [{ name: 'a b' }], [{ token: 'kf_mine' }]])(
    'is not made by %j',
    async (body) => {
      expect((await api.call('POST', '/v1/identities/reader/tokens', body)).status).toBe(400);
    },
  );
});

describe('nobody gives what they lack', () => {
  let admin: string;
  const by = (method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) => api.call(method, path, body, admin);
  const lacking = (scope: string) => ({ status: 403, body: { error: { code: 'forbidden', details: { scope } } } });

  beforeAll(async () => {
    await identity('admin', { scopes: ['settings', 'federation:read'] });
    ({ token: admin } = await tokenOf('admin'));
    await identity('auditor', { scopes: ['audit:read'] });
    await identity('boss', { operator: true });
  });

  test('an administrator makes identities with the scopes they have', async () => {
    expect((await by('POST', '/v1/identities', { name: 'small', scopes: ['federation:read'] })).status).toBe(201);
    expect((await by('PATCH', '/v1/identities/small', { scopes: ['settings'] })).status).toBe(200);
    expect((await by('POST', '/v1/identities/small/tokens', {})).status).toBe(201);
  });

  test('and none with others, be it by making, changing or a token', async () => {
    expect(await by('POST', '/v1/identities', { name: 'big', scopes: ['audit:read'] })).toMatchObject(
      lacking('audit:read'),
    );
    expect(await by('PATCH', '/v1/identities/admin', { scopes: ['settings', 'jobs:replay'] })).toMatchObject(
      lacking('jobs:replay'),
    );
    expect(await by('POST', '/v1/identities/auditor/tokens', {})).toMatchObject(lacking('audit:read'));
  });

  test('and no operator', async () => {
    expect(await by('POST', '/v1/identities', { name: 'big', operator: true })).toMatchObject(lacking('operator'));
    expect(await by('POST', '/v1/identities/boss/tokens', {})).toMatchObject(lacking('operator'));
    expect(await by('PATCH', '/v1/identities/boss', { state: 'disabled' })).toMatchObject(lacking('operator'));
    expect(await by('DELETE', '/v1/identities/boss')).toMatchObject(lacking('operator'));
  });

  test('and no issuer that would speak for them, nor another key for one that does', async () => {
    const issuer = { name: 'theirs', issuer: 'https://issuer.example', audiences: ['keyferry'] };
    const mappings = [{ claims: { sub: 'x' }, identity: 'auditor' }];
    expect(await by('POST', '/v1/issuers', { ...issuer, mappings })).toMatchObject(lacking('audit:read'));
    expect((await api.call('POST', '/v1/issuers', { ...issuer, mappings })).status).toBe(201);
    expect(await by('PATCH', '/v1/issuers/theirs', { jwks_url: 'https://mine.example/keys' })).toMatchObject(
      lacking('audit:read'),
    );
  });

  test('scopes that an identity has already can stay, and a disabled one is enabled by who could make it', async () => {
    expect((await by('PATCH', '/v1/identities/auditor', { scopes: ['audit:read', 'settings'] })).status).toBe(200);
    expect((await by('PATCH', '/v1/identities/auditor', { state: 'disabled' })).status).toBe(200);
    expect(await by('PATCH', '/v1/identities/auditor', { state: 'active' })).toMatchObject(lacking('audit:read'));
  });
});

test('removing an identity revokes its tokens and takes it out of policies and issuers', async () => {
  const { id } = await identity('leaving');
  const { id: stays } = await identity('staying');
  const { token: leaving } = await tokenOf('leaving');
  await api.query(
    `INSERT INTO keyferry.policies (tenant_id, name, path_glob, permissions, bindings, created_by, created_at, updated_at)
     VALUES ($1, 'both', 'a/**', '{read}', $2, 'test', now(), now())`,
    [defaultTenantId, JSON.stringify([{ identity_id: id }, { identity_id: stays }])],
  );
  const issuer = { name: 'both', issuer: 'https://both.example', audiences: ['keyferry'] };
  const mappings = ['leaving', 'staying'].map((name) => ({ claims: { sub: name }, identity: name }));
  await api.call('POST', '/v1/issuers', { ...issuer, mappings });
  expect((await api.call('DELETE', '/v1/identities/leaving')).body).toMatchObject({ tokens_revoked: 1 });
  expect(await api.query(`SELECT bindings FROM keyferry.policies WHERE name = 'both'`)).toEqual([
    { bindings: [{ identity_id: stays }] },
  ]);
  expect((await api.call('GET', '/v1/issuers/both')).body.mappings).toEqual([
    { claims: { sub: 'staying' }, identity_id: stays, identity: 'staying' },
  ]);
  expect((await api.call('GET', '/v1/whoami', undefined, leaving)).status).toBe(401);
});

test('who is refused makes no process ask Postgres anew', async () => {
  const { token: weak } = await identity('weak').then(() => tokenOf('weak'));
  await api.call('GET', '/v1/whoami', undefined, weak);
  const before = await api.identities.directory.accessOf(defaultTenantId);
  await api.query('UPDATE keyferry.access_revisions SET revision = revision + 1');
  for (const by of [weak, `kf_${'A'.repeat(43)}`])
    expect((await api.call('POST', '/v1/identities', { name: 'no' }, by)).status).toBeGreaterThan(400);
  expect(await api.identities.directory.accessOf(defaultTenantId)).toBe(before);
});

test('the environment’s token is an operator with all scopes', async () => {
  expect((await api.call('GET', '/v1/whoami', undefined, token)).body).toMatchObject({
    actor: 'api-token',
    identity_id: null,
    operator: true,
    scopes: ['federation:read', 'federation:write', 'jobs:replay', 'settings', 'audit:read'],
  });
});
