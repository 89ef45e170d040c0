import { expect, test } from 'vitest';
import { postForm, send, signedByOwner, startBench } from './gcp-client.ts';

const scope = 'https://www.googleapis.com/auth/cloud-platform';

test('a service account gets a token for its assertion, which runs out', async () => {
  const { clock, ask, grant } = await startBench({ tokenSeconds: 600 });
  const { body } = await grant();
  expect(body).toEqual({ access_token: expect.stringMatching(/^ya29\./), expires_in: 599, token_type: 'Bearer' });
  expect((await ask('/secrets', { token: body.access_token })).status).toBe(200);
  clock.advance(600);
  const late = await ask('/secrets', { token: body.access_token });
  expect(late).toMatchObject({
    status: 401,
    body: { error: { status: 'UNAUTHENTICATED', details: [{ reason: 'ACCESS_TOKEN_EXPIRED' }] } },
  });
  expect(late.headers.get('www-authenticate')).toContain('invalid_token');
});

test.for<[string, Record<string, unknown>, Record<string, unknown>, string]>([
  ['of an unknown account', { iss: 'x@y.iam.gserviceaccount.com' }, {}, 'invalid_grant'],
  ['for another endpoint', { aud: 'https://example.com/token' }, {}, 'invalid_grant'],
  ['from the future', { iat: Date.UTC(2026, 0, 1) / 1000 + 400 }, {}, 'invalid_grant'],
  ['that has run out', { iat: 1_000, exp: 2_000 }, {}, 'invalid_grant'],
  ['for longer than an hour', { exp: Date.UTC(2026, 0, 1) / 1000 + 3_601 }, {}, 'invalid_grant'],
  ['without a scope', { scope: '' }, {}, 'invalid_scope'],
  ['for another scope', { scope: 'https://www.googleapis.com/auth/drive' }, {}, 'invalid_scope'],
  ['of another key', {}, { kid: 'other' }, 'invalid_grant'],
  ['by another algorithm', {}, { alg: 'HS256' }, 'invalid_grant'],
])('an assertion %s is refused', async ([, claims, header, error]) => {
  const { grant } = await startBench();
  expect(await grant(claims, header)).toMatchObject({ status: 400, body: { error } });
});

test('a key that was replaced, and a disabled account, get no token', async () => {
  const { gcp, ask, grant } = await startBench();
  expect((await ask('/secrets')).status).toBe(200);
  const { private_key_id: kid } = JSON.parse(gcp.identities.keyFile(gcp.owner));
  gcp.identities.rotateKey(gcp.owner);
  expect((await grant({}, { kid })).body).toMatchObject({ error: 'invalid_grant' });
  expect((await grant()).status).toBe(200);
  gcp.identities.disable(gcp.owner);
  expect((await grant()).body).toMatchObject({ error: 'invalid_grant' });
  expect((await ask('/secrets')).status).toBe(401);
});

test('a token that an account signed for itself is good for this service alone', async () => {
  const { gcp, clock, ask } = await startBench();
  const iat = clock.now() / 1000;
  const usual = { iss: gcp.owner, sub: gcp.owner, iat, exp: iat + 3_600 };
  const statusOf = async (claims: object, header = {}) =>
    (await ask('/secrets', { token: signedByOwner(gcp, { ...usual, ...claims }, header) })).status;
  expect(await statusOf({ aud: 'https://secretmanager.googleapis.com/' })).toBe(200);
  expect(await statusOf({ scope })).toBe(200);
  expect(await statusOf({ aud: 'https://pubsub.googleapis.com/' })).toBe(401);
  expect(await statusOf({ scope, sub: 'else' })).toBe(401);
  expect(await statusOf({ scope, exp: iat + 7_200 })).toBe(401);
  expect(await statusOf({ scope }, { kid: 'other' })).toBe(401);
});

test('no token, a wrong one and a revoked one are refused', async () => {
  const { gcp, ask } = await startBench();
  expect((await ask('/secrets', { token: '' })).body.error.details[0].reason).toBe('CREDENTIALS_MISSING');
  expect((await ask('/secrets', { token: 'ya29.x' })).status).toBe(401);
  expect((await ask('/secrets')).status).toBe(200);
  gcp.revokeTokens();
  expect((await ask('/secrets')).status).toBe(401);
});

test('who was granted nothing, or is denied something, is forbidden to do it', async () => {
  const { gcp, ask } = await startBench();
  gcp.secrets().put('a', 'x');
  gcp.secrets().put('b', 'x');
  gcp.identities.deny(gcp.owner, { permission: 'secretmanager.versions.access', secret: 'a' });
  const { status, body } = await ask('/secrets/a/versions/latest:access');
  expect(status).toBe(403);
  expect(body.error.message).toBe(
    `Permission 'secretmanager.versions.access' denied for resource 'projects/${gcp.projectId}/secrets/a/versions/latest' (or it may not exist).`,
  );
  expect((await ask('/secrets/b/versions/latest:access')).status).toBe(200);
  gcp.createProject('other-project');
  expect((await ask('/../other-project/secrets')).body.error.details[0].reason).toBe('IAM_PERMISSION_DENIED');
});

test('a principal of a pool gets a token for one of its issuer, and may act as an account that lets it', async () => {
  const { gcp, clock, ask } = await startBench();
  const pool = gcp.identities.pool('cluster', { actsAs: gcp.owner });
  const exchange = (subject_token: string, more = {}) =>
    postForm(`${gcp.url}/v1/token`, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: pool.audience,
      scope,
      subject_token,
      ...more,
    });
  const { body } = await exchange(pool.subjectToken('pod'));
  expect(body).toMatchObject({ expires_in: 3_600, token_type: 'Bearer' });
  expect((await ask('/secrets', { token: body.access_token })).status).toBe(403);
  gcp.identities.grant(pool.principal('pod'), gcp.projectId);
  expect((await ask('/secrets', { token: body.access_token })).status).toBe(200);

  const url = `${gcp.url}/v1/projects/-/serviceAccounts/${gcp.owner}:generateAccessToken`;
  const act = (token: string, more = {}) =>
    send(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ scope: [scope], lifetime: '600s', ...more }),
    });
  const acted = await act(body.access_token);
  expect(acted.body.expireTime).toBe('2026-01-01T00:10:00Z');
  expect((await ask('/secrets', { token: acted.body.accessToken })).status).toBe(200);
  expect((await act('x')).status).toBe(401);
  expect((await act(body.access_token, { lifetime: '7200s' })).status).toBe(400);
  const stranger = gcp.identities.pool('other').subjectToken('pod');
  for (const refused of [
    await exchange(stranger),
    await exchange('x'),
    await exchange(pool.subjectToken('pod'), { audience: '//nowhere' }),
    await exchange(pool.subjectToken('pod'), { subject_token_type: 'x' }),
    await exchange(pool.subjectToken('pod', { iss: 'https://else.example.com' })),
    await exchange(pool.subjectToken('pod', { aud: 'else' })),
    await exchange(pool.subjectToken('pod', { exp: clock.now() / 1000 })),
  ])
    expect(refused).toMatchObject({ status: 400, body: { error: expect.stringMatching(/^invalid_/) } });
});

test('the metadata server answers to who says that it is meant', async () => {
  const { gcp, ask } = await startBench();
  const url = `${gcp.url}/computeMetadata/v1/instance/service-accounts/default/token`;
  const headers = { 'metadata-flavor': 'Google' };
  expect((await send(url, { headers })).status).toBe(404);
  gcp.identities.onMachine(gcp.owner);
  expect((await send(url, {})).status).toBe(403);
  expect((await send(url, { headers: { ...headers, 'x-forwarded-for': '::1' } })).status).toBe(403);
  const { body, headers: told } = await send(url, { headers });
  expect([body.expires_in, told.get('metadata-flavor')]).toEqual([3_600, 'Google']);
  expect((await ask('/secrets', { token: body.access_token })).status).toBe(200);
});
