import { createHmac } from 'node:crypto';
import { defaultTenantId } from '@keyferry/store';
import {
  jwtOf,
  newSigningKey,
  publicJwk,
  type SigningKey,
  startIssuer,
  type TestIssuer,
} from '@keyferry/testing/support/token-issuer.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

const cleanup = new AsyncDisposableStack();
const other = '22222222-2222-4222-8222-222222222222';
let api: TestApi;
let issuer: TestIssuer;
let at = new Date('2026-06-01T12:00:00Z');
const pass = (milliseconds: number) => {
  at = new Date(at.getTime() + milliseconds);
};
const seconds = () => Math.floor(at.getTime() / 1000);

beforeAll(async () => {
  api = await startTestApi({ now: () => at, allowedEgress: '127.0.0.1,localhost' });
  cleanup.defer(() => api.close());
  issuer = await startIssuer();
  cleanup.defer(() => issuer.close());
  await api.query(`INSERT INTO keyferry.tenants (id, name) VALUES ($1, 'other')`, [other]);
  for (const name of ['deployer', 'sleeper']) expect(await make('/v1/identities', { name })).toMatchObject({ name });
  await make('/v1/issuers', {
    name: 'ci',
    issuer: issuer.url,
    audiences: ['keyferry'],
    mappings: [
      { claims: { sub: 'repo:acme/app:*', ref: 'refs/heads/main' }, identity: 'deployer' },
      { claims: { groups: 'ops' }, identity: 'deployer' },
      { claims: { '/kubernetes.io/namespace': 'prod' }, identity: 'deployer' },
      { claims: { sub: 'asleep' }, identity: 'sleeper' },
    ],
  });
  await api.call('PATCH', '/v1/identities/sleeper', { state: 'disabled' });
});
afterAll(() => cleanup.disposeAsync());

async function make(path: string, body: object) {
  const made = await api.call('POST', path, body);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body;
}

const whoami = (by: string, headers: object = {}) => api.call('GET', '/v1/whoami', undefined, by, headers);
const signed = (claims: object = {}, options: object = {}) => issuer.sign(claims, { at, ...options });
const main = { sub: 'repo:acme/app:x', ref: 'refs/heads/main' };

describe('what an issuer has signed', () => {
  test.each([
    ['a text, and another by its beginning', main, 'deployer (ci:repo:acme/app:x)'],
    ['one of an array', { sub: 'ann', groups: ['dev', 'ops'] }, 'deployer (ci:ann)'],
    ['one inside another', { sub: 'sa', 'kubernetes.io': { namespace: 'prod' } }, 'deployer (ci:sa)'],
  ])('stands for the identity that its claims are mapped to: %s', async (_what, claims, actor) => {
    expect(await whoami(signed(claims))).toMatchObject({ status: 200, body: { actor, operator: false } });
  });

  test('is taken a little before and after its time, since clocks differ', async () => {
    expect((await whoami(signed({ ...main, exp: seconds() - 29 }))).status).toBe(200);
    expect((await whoami(signed({ ...main, nbf: seconds() + 29 }))).status).toBe(200);
  });

  test('may be for several audiences, of which one is ours', async () => {
    expect((await whoami(signed({ ...main, aud: ['else', 'keyferry'] }))).status).toBe(200);
  });

  test('is known without an identity where a policy is for its claims, and may do what that says', async () => {
    const { id } = (await api.call('GET', '/v1/issuers/ci')).body;
    const binding = { issuer_id: id, claims: { team: 'payments' } };
    await api.query(
      `INSERT INTO keyferry.policies (tenant_id, name, path_glob, permissions, bindings, created_by, created_at, updated_at)
       VALUES ($1, 'claimed', 'payments/**', '{list}', $2, 'test', now(), now())`,
      [defaultTenantId, JSON.stringify([binding])],
    );
    await api.query(`UPDATE keyferry.access_revisions SET revision = revision + 1`);
    pass(2_001);
    const token = signed({ sub: 'pay\nroll', team: 'payments' });
    expect((await whoami(token)).body).toMatchObject({ actor: 'ci:pay·roll', identity_id: null, scopes: [] });
    expect(await api.call('GET', '/v1/federation/backends', undefined, token)).toMatchObject({
      status: 403,
      body: { error: { code: 'forbidden', details: { scope: 'federation:read' } } },
    });
  });

  test('costs no question to the issuer once its keys are known', async () => {
    await whoami(signed(main));
    const before = issuer.asked.length;
    for (let i = 0; i < 5; i++) expect((await whoami(signed(main))).status).toBe(200);
    expect(issuer.asked.length).toBe(before);
  });
});

describe('whatever is wrong with a credential, the answer is the same', () => {
  const bodyOf = ({ error: { request_id: _, ...same } }: { error: Record<string, unknown> }) => same;
  const refusal = {
    code: 'unauthorized',
    message: 'The request has no valid bearer token.',
    action: 'Send `Authorization: Bearer <token>`.',
  };

  const stored = async (name: string, more: object = {}): Promise<{ id: string; token: string }> => {
    if ((await api.call('GET', `/v1/identities/${name}`)).status === 404) await make('/v1/identities', { name });
    return await make(`/v1/identities/${name}/tokens`, more);
  };

  const cases: [string, () => Promise<string> | string][] = [
    ['a token nobody made', () => `kf_${'A'.repeat(43)}`],
    ['a token that is cut off', async () => (await stored('cut')).token.slice(0, -1)],
    ['a token with another end', async () => `${(await stored('cut')).token.slice(0, -4)}AAAA`],
    [
      'a revoked token',
      async () => {
        const { id, token } = await stored('revoked');
        expect((await whoami(token)).status).toBe(200);
        await api.call('DELETE', `/v1/identities/revoked/tokens/${id}`);
        return token;
      },
    ],
    [
      'an expired token',
      async () => {
        const { token } = await stored('expired', { expires_in: '1m' });
        pass(59_999);
        expect((await whoami(token)).status).toBe(200);
        pass(1);
        return token;
      },
    ],
    [
      'a token of a disabled identity',
      async () => {
        const { token } = await stored('disabled');
        await api.call('PATCH', '/v1/identities/disabled', { state: 'disabled' });
        return token;
      },
    ],
    [
      'a token of a tenant that is deleted',
      async () => {
        const [identity] = await api.query(
          `INSERT INTO keyferry.identities (tenant_id, name, scopes, created_by, created_at, updated_at)
           VALUES ($1, 'gone', '{}', 'test', now(), now()) RETURNING id`,
          [other],
        );
        await api.query(
          `INSERT INTO keyferry.tokens (tenant_id, identity_id, name, digest, shown, created_by, created_at)
           VALUES ($1, $2, 'gone', sha256('kf_${'B'.repeat(43)}'), 'kf_BBBBB', 'test', now())`,
          [other, identity?.id],
        );
        await api.query(`UPDATE keyferry.tenants SET state = 'deleting' WHERE id = $1`, [other]);
        return `kf_${'B'.repeat(43)}`;
      },
    ],
    ['what has three parts and is no token', () => 'a.b.c'],
    ['a token whose claims are no JSON', () => `${signed(main).split('.')[0]}.bm8.bm8`],
    ['an expired one', () => signed({ ...main, exp: seconds() - 31 })],
    ['one without an end', () => signed({ ...main, exp: undefined })],
    ['one with an end that is no time', () => signed({ ...main, exp: 'never' })],
    ['one that begins later', () => signed({ ...main, nbf: seconds() + 31 })],
    ['one without a subject', () => signed({ ...main, sub: undefined })],
    ['one for somebody else', () => signed({ ...main, aud: 'another' })],
    ['one for nobody', () => signed({ ...main, aud: undefined })],
    ['one of another issuer', () => signed({ ...main, iss: 'https://issuer.example' })],
    ['one of an issuer that no database could hold', () => signed({ ...main, iss: 'a\0b' })],
    ['one with a key nobody knows', () => signed(main, { key: newSigningKey() })],
    ['one with a known key’s name and another key', () => signed(main, { key: namedAsOurs(newSigningKey()) })],
    ['one that nobody signed', () => jwtOf({ alg: 'none' }, claims(main), () => Buffer.alloc(0))],
    ['one that nobody signed, with a signature', () => jwtOf({ alg: 'none' }, claims(main), () => Buffer.from('x'))],
    ['one signed with the public key as a secret, in PEM', () => withSecret(pem())],
    ['one signed with the public key as a secret, in JSON', () => withSecret(JSON.stringify(publicJwk(ourKey())))],
    ['one by an algorithm that the issuer’s settings lack', () => signed(main, { header: { alg: 'PS256' } })],
    ['one with its own key in it', () => withOwnKey()],
    ['one with members that have to be understood', () => signed(main, { header: { crit: ['x'], x: 1 } })],
    [
      'one whose claims were changed',
      () => {
        const [header, , signature] = signed({ sub: 'nobody' }).split('.');
        return `${header}.${Buffer.from(JSON.stringify(claims(main))).toString('base64url')}.${signature}`;
      },
    ],
    ['one whose claims stand for nobody', () => signed({ sub: 'somebody-else' })],
    [
      'one whose claims stand for somebody only nearly',
      () => signed({ sub: 'repo:acme/app:x', ref: 'refs/heads/dev' }),
    ],
    ['one of a disabled identity', () => signed({ sub: 'asleep' })],
    ['one with a claim of a prototype', () => signed({ sub: 'x', toString: 'ops', groups: { ops: 1 } })],
    ['one that is very long', () => signed({ ...main, more: 'x'.repeat(20_000) })],
  ];

  const ourKey = () => issuer.keys[0] as SigningKey;
  const pem = () => ourKey().publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const namedAsOurs = (key: SigningKey) => ({ ...key, kid: ourKey().kid });
  const claims = (more: object) => ({
    iss: issuer.url,
    aud: 'keyferry',
    exp: seconds() + 300,
    ...more,
  });
  const withSecret = (secret: string) =>
    jwtOf({ alg: 'HS256', kid: ourKey().kid }, claims(main), (text) =>
      createHmac('sha256', secret).update(text).digest(),
    );
  const withOwnKey = () => {
    const key = newSigningKey();
    return signed(main, { key, header: { jwk: publicJwk(key), jku: 'http://127.0.0.1:1/' } });
  };

  test.each(cases)('%s', async (_what, credential) => {
    const answer = await whoami(await credential());
    expect(answer.status).toBe(401);
    expect(bodyOf(answer.body)).toEqual(refusal);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  test('though what is right with them is taken', async () => {
    expect((await whoami(signed(main))).status).toBe(200);
  });

  test('and it is the one of no credential at all', async () => {
    const answer = await api.app.inject({ url: '/v1/whoami' });
    expect(bodyOf(answer.json())).toEqual(refusal);
  });
});

describe('tenants that take the same issuer for the same audience', () => {
  let own: string;

  beforeAll(async () => {
    own = (await make('/v1/identities', { name: 'shared' })).id;
    await api.query(`UPDATE keyferry.tenants SET state = 'active' WHERE id = $1`, [other]);
    const [theirs] = await api.query(
      `INSERT INTO keyferry.identities (tenant_id, name, scopes, created_by, created_at, updated_at)
       VALUES ($1, 'theirs', '{}', 'test', now(), now()) RETURNING id`,
      [other],
    );
    for (const [tenant, id] of [
      [defaultTenantId, own],
      [other, theirs?.id],
    ])
      await api.query(
        `INSERT INTO keyferry.token_issuers
           (tenant_id, name, kind, issuer, audiences, algorithms, jwks, mappings, created_by, created_at, updated_at)
         VALUES ($1, 'shared', 'oidc', 'urn:shared', '{keyferry}', '{RS256}', $2, $3, 'test', now(), now())`,
        [
          tenant,
          JSON.stringify({ keys: issuer.keys.map(publicJwk) }),
          JSON.stringify([{ claims: { sub: 'somebody' }, identity_id: id }]),
        ],
      );
    await api.query(`UPDATE keyferry.token_issuers SET algorithms = '{RS256,ES256}'`);
    await api.query(`INSERT INTO keyferry.access_revisions VALUES ($1, 7) ON CONFLICT DO NOTHING`, [other]);
    await api.query(`UPDATE keyferry.access_revisions SET revision = revision + 1`);
    pass(2_001);
  });

  const shared = () => signed({ iss: 'urn:shared' });

  test('don’t get who doesn’t say which of them is meant', async () => {
    expect((await whoami(shared())).status).toBe(401);
  });

  test.each([
    ['id', other, 'theirs'],
    ['name', 'other', 'theirs'],
    ['name', 'default', 'shared'],
  ])('get who names one by its %s', async (_what, tenant, name) => {
    expect((await whoami(shared(), { 'x-keyferry-tenant': tenant })).body).toMatchObject({
      actor: `${name} (shared:somebody)`,
    });
  });

  test('don’t get who names a tenant that doesn’t take it, or none', async () => {
    for (const tenant of ['other', 'nobody', 'a\tb'])
      expect((await whoami(signed(main), { 'x-keyferry-tenant': tenant })).status).toBe(401);
  });

  test('say that they are suspended to their own, and to nobody else', async () => {
    await api.query(`UPDATE keyferry.tenants SET state = 'suspended' WHERE id = $1`, [other]);
    await api.query(`UPDATE keyferry.access_revisions SET revision = revision + 1`);
    pass(2_001);
    const theirs = { 'x-keyferry-tenant': 'other' };
    expect(await whoami(shared(), theirs)).toMatchObject({
      status: 403,
      body: { error: { code: 'tenant_suspended' } },
    });
    expect((await whoami(signed({ iss: 'urn:shared', sub: 'nobody' }), theirs)).status).toBe(401);
  });
});

test('an operator whom an issuer has signed for names any tenant, and nobody else does', async () => {
  await api.query(`UPDATE keyferry.tenants SET state = 'active' WHERE id = $1`, [other]);
  await make('/v1/identities', { name: 'keeper', operator: true, scopes: ['federation:read'] });
  await make('/v1/issuers', {
    name: 'staff',
    issuer: 'urn:staff',
    audiences: ['keyferry'],
    algorithms: ['RS256', 'ES256'],
    jwks: { keys: issuer.keys.map(publicJwk) },
    mappings: [
      { claims: { sub: 'keeper' }, identity: 'keeper' },
      { claims: { sub: 'deployer' }, identity: 'deployer' },
    ],
  });
  const by = (sub: string) => signed({ iss: 'urn:staff', sub });
  expect(await whoami(by('keeper'), { 'x-keyferry-tenant': 'other' })).toMatchObject({
    status: 200,
    body: { actor: 'operator:keeper (staff:keeper)', identity_id: null, tenant: { name: 'other' } },
  });
  expect((await whoami(by('keeper'), { 'x-keyferry-tenant': 'nobody' })).status).toBe(404);
  for (const tenant of ['other', 'nobody'])
    expect((await whoami(by('deployer'), { 'x-keyferry-tenant': tenant })).status).toBe(401);
});

test('no issuer has the name by which operators are told in the audit logs of others', async () => {
  const settings = { issuer: 'urn:else', audiences: ['keyferry'], jwks: { keys: issuer.keys.map(publicJwk) } };
  for (const name of ['operator', 'Operator'])
    expect((await api.call('POST', '/v1/issuers', { name, ...settings })).body.error?.code).toBe('config_invalid');
  expect((await api.call('PATCH', '/v1/issuers/ci', { name: 'operator' })).body.error?.code).toBe('config_invalid');
});
