import type { AwsRoleOptions } from '@keyferry/emulators';
import { describe, expect, test } from 'vitest';
import type { ConnectContext } from '../src/index.ts';
import { everything, startAwsBench, staticAuth } from './aws-harness.ts';
import { failureOf, fetchAll, patient, readOne } from './support.ts';

const issuer = 'https://oidc.example.com/cluster';

async function benchWithRole(role: Partial<AwsRoleOptions> = {}) {
  const bench = await startAwsBench();
  const { vault } = bench;
  vault.secrets.put('a', 'x');
  const key = vault.identities.createKey('worker', [{ actions: ['sts:AssumeRole'] }]);
  const roleArn = vault.identities.createRole('reader', {
    statements: [everything],
    trust: { principals: [vault.account] },
    ...role,
  });
  /** By the worker's keys and the role, with these members of `auth` besides or instead. */
  const connect = (more: object = {}) => bench.connect({ auth: staticAuth(key, { role_arn: roleArn, ...more }) });
  const connectWith = (own: ConnectContext) => bench.connect({ auth: staticAuth(key, { role_arn: roleArn }) }, own);
  const connectBy = (auth: object) => bench.connect({ auth });
  const actions = () => vault.requests.all.map(({ operation }) => operation);
  return { ...bench, key, roleArn, connect, connectWith, connectBy, actions };
}

describe('keys', () => {
  test('keys that last read without a login', async () => {
    const { connectBy, vault, actions } = await benchWithRole();
    const backend = await connectBy(staticAuth(vault.operator));
    expect((await readOne(backend, 'a')).value.reveal().toString()).toBe('x');
    expect(actions()).toEqual(['BatchGetSecretValue', 'DescribeSecret']);
  });

  test('temporary keys need their session token, and end with their time', async () => {
    const { connectBy, vault, clock, roleArn } = await benchWithRole();
    const session = vault.identities.createSession(roleArn, 900);
    const backend = await connectBy(staticAuth(session));
    await readOne(backend, 'a');
    clock.advance(901);
    const failure = await failureOf(readOne(backend, 'a'));
    expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
    expect(failure.message).toContain('have expired');
    const wrong = await connectBy(staticAuth({ ...session, sessionToken: 'canary-of-no-token' }));
    expect((await failureOf(readOne(wrong, 'a'))).message).toContain('does not know the access key');
  });

  test('a wrong secret key is said to be so, at once', async () => {
    const { connectBy, vault } = await benchWithRole();
    const backend = await connectBy(staticAuth({ ...vault.operator, secretAccessKey: 'canary-of-no-secret' }));
    const failure = await failureOf(readOne(backend, 'a'));
    expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
    expect(failure.message).toContain('is not that of the access key');
    expect(vault.requests.total).toBe(1);
  });

  test('an endpoint of another region than the settings’ is said to be so', async () => {
    const { connect } = await startAwsBench({ otherRegions: [] });
    const failure = await failureOf(readOne(await connect({ region: 'eu-west-1' }), 'a'));
    expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
    expect(failure.message).toContain('of another region');
  });
});

describe('roles', () => {
  test('a role is assumed with its external id, under the name of the settings', async () => {
    const { connect, vault, key, roleArn, connectBy } = await benchWithRole({
      trust: { principals: ['111122223333'], externalId: 'agreed-on' },
    });
    await readOne(await connect({ external_id: 'agreed-on', session_name: 'nightly' }), 'a');
    vault.identities.setPolicy(roleArn, []);
    expect(await failureOf(readOne(await connect({ external_id: 'agreed-on' }), 'a'))).toMatchObject({
      failureClass: 'forbidden',
    });
    for (const more of [{ external_id: 'another' }, {}]) {
      const failure = await failureOf(readOne(await connect(more), 'a'));
      expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
      expect(failure.message).toContain('Could not assume the role of auth.role_arn');
      expect(failure.message).not.toContain(roleArn);
    }
    vault.identities.setPolicy('arn:aws:iam::111122223333:user/worker', []);
    const unallowed = await connectBy(staticAuth(key, { role_arn: roleArn, external_id: 'agreed-on' }));
    expect(await failureOf(readOne(unallowed, 'a'))).toMatchObject({ code: 'vault_unauthenticated' });
  });

  test('a chain of roles leads into another account, one after the other', async () => {
    const { connect, vault, actions } = await benchWithRole();
    const target = vault.identities.createRole('target', {
      account: '444455556666',
      statements: [everything],
      trust: { principals: ['arn:aws:iam::111122223333:role/reader'], externalId: 'x-1' },
    });
    vault.at({ account: '444455556666' }).put('theirs', 'y');
    const backend = await connect({ role_chain: [{ role_arn: target, external_id: 'x-1' }] });
    expect((await readOne(backend, 'theirs')).value.reveal().toString()).toBe('y');
    expect(actions().slice(0, 2)).toEqual(['AssumeRole', 'AssumeRole']);
    expect((await backend.probe(patient)).containerId).toBe('444455556666/us-east-1');
    const refused = await connect({ role_chain: [{ role_arn: target, external_id: 'wrong' }] });
    expect((await failureOf(readOne(refused, 'theirs'))).message).toContain('auth.role_chain.0');
  });

  test('fifty callers at once share one login', async () => {
    const { connect, vault } = await benchWithRole();
    const backend = await connect();
    await Promise.all(Array.from({ length: 50 }, () => backend.confirm('a', patient)));
    expect(vault.requests.counts.AssumeRole).toBe(1);
  });

  test('credentials are replaced shortly before they end, and no request meets their end', async () => {
    const { connect, vault, clock } = await benchWithRole();
    const backend = await connect();
    await readOne(backend, 'a');
    clock.advance(3600 - 130);
    await readOne(backend, 'a');
    expect(vault.requests.counts.AssumeRole).toBe(1);
    clock.advance(20);
    await readOne(backend, 'a');
    expect(vault.requests.counts.AssumeRole).toBe(2);
    expect(vault.requests.all.every(({ status }) => status === 200)).toBe(true);
  });

  test('credentials that AWS does not know any more are replaced by one login, however many meet it', async () => {
    const { connect, vault } = await benchWithRole();
    const names = Array.from({ length: 100 }, (_, index) => `many/${index}`);
    for (const name of names) vault.secrets.put(name, 'x');
    const backend = await connect();
    await readOne(backend, 'a');
    vault.identities.revokeSessions();
    const found = await fetchAll(backend, names);
    expect(new Set(found.values())).toEqual(new Set(['x']));
    expect(vault.requests.counts.AssumeRole).toBe(2);
  });

  test('a permission denied brings no login', async () => {
    const { connect, vault } = await benchWithRole({ statements: [] });
    const found = await fetchAll(await connect(), ['a', 'b', 'c']);
    expect(new Set(found.values())).toEqual(new Set(['vault_forbidden']));
    expect(vault.requests.counts.AssumeRole).toBe(1);
  });

  test('credentials that are refused all the time are not asked for all the time', async () => {
    const { connect, vault, clock } = await benchWithRole();
    vault.faults.inject({
      effect: {
        kind: 'status',
        status: 400,
        body: { __type: 'ExpiredTokenException' },
        headers: { date: new Date(clock.time).toUTCString() },
      },
      operation: 'DescribeSecret',
    });
    const backend = await connect();
    for (let round = 0; round < 3; round++)
      expect(await failureOf(backend.confirm('a', patient))).toMatchObject({ code: 'vault_unauthenticated' });
    expect(vault.requests.counts.AssumeRole).toBe(2);
    clock.advance(6);
    await failureOf(backend.confirm('a', patient));
    expect(vault.requests.counts.AssumeRole).toBe(3);
  });

  test('a refused login is remembered for a moment, so that not every secret asks again', async () => {
    const { connect, vault, clock } = await benchWithRole({ trust: {} });
    const backend = await connect();
    const names = Array.from({ length: 100 }, (_, index) => `${index}`);
    expect(new Set((await fetchAll(backend, names)).values())).toEqual(new Set(['vault_unauthenticated']));
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_unauthenticated' });
    expect(vault.requests.counts.AssumeRole).toBe(1);
    clock.advance(6);
    await failureOf(readOne(backend, 'a'));
    expect(vault.requests.counts.AssumeRole).toBe(2);
  });

  test('a login that the token service is away for is no refusal', async () => {
    const { connect, vault } = await benchWithRole();
    vault.faults.inject({ effect: { kind: 'status', status: 503, body: '<html></html>' }, operation: 'STS', times: 1 });
    const backend = await connect();
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unavailable' });
    await readOne(backend, 'a');
  });

  test('credentials that have ended by this machine’s clock alone bring a login every five seconds, and no more', async () => {
    const { connectWith, vault, clock, context } = await benchWithRole();
    const ahead = { ...context, now: () => clock.now() + 2 * 3_600_000 };
    const backend = await connectWith(ahead);
    await readOne(backend, 'a');
    const before = vault.requests.counts.AssumeRole ?? 0;
    for (let round = 0; round < 3; round++) await readOne(backend, 'a');
    expect(vault.requests.counts.AssumeRole).toBe(before);
    clock.advance(5);
    await readOne(backend, 'a');
    expect(vault.requests.counts.AssumeRole).toBe(before + 1);
  });

  test('while the token service is away, credentials that are still good are used', async () => {
    const { connect, vault, clock } = await benchWithRole();
    const backend = await connect();
    await readOne(backend, 'a');
    clock.advance(3600 - 100);
    const away = vault.faults.inject({ effect: { kind: 'status', status: 503 }, operation: 'STS' });
    for (let round = 0; round < 3; round++) await readOne(backend, 'a');
    expect(away.hits).toBe(1);
    clock.advance(30);
    await readOne(backend, 'a');
    expect(away.hits).toBe(2);
    clock.advance(70);
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unavailable' });
  });

  test('a login that gets nonsense is not tried again for each secret', async () => {
    const { connect, vault } = await benchWithRole();
    const fault = vault.faults.inject({ effect: { kind: 'garbage', body: '<a/>' }, operation: 'STS' });
    const backend = await connect();
    for (let round = 0; round < 3; round++)
      expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'invalid' });
    expect(fault.hits).toBe(1);
  });
});

describe('web identity', () => {
  const trust = { webIdentity: { issuer, subject: 'system:serviceaccount:keyferry:worker' } };
  const claims = { issuer, subject: 'system:serviceaccount:keyferry:worker' };

  test('a token is exchanged for a role, unsigned', async () => {
    const { connectBy, vault, roleArn, actions } = await benchWithRole({ trust });
    const backend = await connectBy({ method: 'web_identity', role_arn: roleArn, token: vault.issueToken(claims) });
    await readOne(backend, 'a');
    expect(actions()[0]).toBe('AssumeRoleWithWebIdentity');
  });

  test('a token in a file is read again at each login', async () => {
    const { connectBy, vault, roleArn, clock, files } = await benchWithRole({ trust });
    const token_file = '/run/token';
    const backend = await connectBy({ method: 'web_identity', role_arn: roleArn, token_file });
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'reference_unresolved' });
    clock.advance(6);
    files.set(token_file, `${vault.issueToken({ ...claims, expiresInSeconds: 600 })}\n`);
    await readOne(backend, 'a');
    clock.advance(3600);
    const failure = await failureOf(readOne(backend, 'a'));
    expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
    clock.advance(6);
    files.set(token_file, vault.issueToken(claims));
    await readOne(backend, 'a');
  });

  test('a file that holds no token is never sent', async () => {
    const { connectBy, vault, roleArn, files } = await benchWithRole({ trust });
    files.set('/run/master.key', 'bm90IGEgdG9rZW4=');
    const backend = await connectBy({ method: 'web_identity', role_arn: roleArn, token_file: '/run/master.key' });
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_unauthenticated' });
    expect(vault.requests.total).toBe(0);
  });

  test.for([
    ['of another subject', { subject: 'system:serviceaccount:default:default' }],
    ['of another issuer', { issuer: 'https://oidc.example.com/other' }],
    ['for somebody else', { audience: 'vault' }],
  ] as const)('a token %s is refused', async ([, claim]) => {
    const { connectBy, vault, roleArn } = await benchWithRole({
      trust: { webIdentity: { ...trust.webIdentity, audience: 'sts.amazonaws.com' } },
    });
    const token = vault.issueToken({ ...claims, ...claim });
    const failure = await failureOf(
      readOne(await connectBy({ method: 'web_identity', role_arn: roleArn, token }), 'a'),
    );
    expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
    expect(failure.message).toContain('does not trust the web identity token');
  });

  test('further roles follow', async () => {
    const { connectBy, vault, roleArn, actions } = await benchWithRole({ trust });
    const next = vault.identities.createRole('next', { statements: [everything], trust: { principals: [roleArn] } });
    const auth = { method: 'web_identity', role_arn: roleArn, role_chain: [{ role_arn: next }] };
    await readOne(await connectBy({ ...auth, token: vault.issueToken(claims) }), 'a');
    expect(actions().slice(0, 2)).toEqual(['AssumeRoleWithWebIdentity', 'AssumeRole']);
  });
});
