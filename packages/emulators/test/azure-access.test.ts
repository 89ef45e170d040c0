import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { isSignedBy, parseJwt, signJwt } from '../src/azure/jwt.ts';
import { createTestCertificate } from '../src/index.ts';
import { askAuthority, askForToken, askVault, login, manualClock, rsaKey, startVault } from './azure-client.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

test('without a token the vault tells where to get one, and whom it has to be for', async () => {
  const { vault, ask } = await startVault();
  for (const path of ['/secrets', '/secrets/a', '/secrets?nothing=1']) {
    const { status, headers, body } = await ask(path, { token: null });
    expect(status).toBe(401);
    expect(body.error.code).toBe('Unauthorized');
    expect(headers['www-authenticate']).toBe(
      `Bearer authorization="${vault.authorityUrl}/${vault.tenantId}", resource="${vault.url}"`,
    );
  }
  expect(vault.requests.counts).toMatchObject({ Challenge: 3 });
});

test('a token is taken only if it is the directory’s own, for this vault, and not over', async () => {
  const clock = manualClock();
  const { vault, token, clientId, clientSecret } = await startVault({ now: clock.now, tokenSeconds: 600 });
  const status = async (candidate: string) => (await askVault(vault, candidate, '/secrets')).status;
  expect(await status(token)).toBe(200);

  const jwt = parseJwt(token);
  const forged = signJwt(jwt?.header ?? {}, jwt?.claims ?? {}, rsaKey());
  const [header, , signature] = token.split('.');
  const altered = [header, Buffer.from('{"aud":"x"}').toString('base64url'), signature].join('.');
  const client = { client_id: clientId, client_secret: clientSecret };
  const other = await login(vault, { ...client, scope: 'https://graph.example.com/.default' });
  for (const refused of ['nonsense', forged, altered, other]) expect(await status(refused)).toBe(401);
  const { headers } = await askVault(vault, other, '/secrets');
  expect(headers['www-authenticate']).toMatch(/error="invalid_token"/);

  clock.advance(599);
  expect(await status(token)).toBe(200);
  clock.advance(1);
  expect(await status(token)).toBe(401);
  const next = await login(vault, client);
  expect(await status(next)).toBe(200);
  vault.revokeTokens();
  expect(await status(next)).toBe(401);
});

test('the directory tells its endpoints and the key that it signs with', async () => {
  const { vault, token } = await startVault();
  const { body } = await askAuthority(vault, `/${vault.tenantId}/v2.0/.well-known/openid-configuration`);
  expect(body).toMatchObject({
    issuer: `${vault.authorityUrl}/${vault.tenantId}/v2.0`,
    token_endpoint: `${vault.authorityUrl}/${vault.tenantId}/oauth2/v2.0/token`,
  });
  const { keys } = (await askAuthority(vault, new URL(body.jwks_uri).pathname)).body;
  const jwt = parseJwt(token);
  expect(jwt && isSignedBy(jwt, createPublicKey({ key: keys[0], format: 'jwk' }))).toBe(true);
  const discovery = await askAuthority(vault, '/common/discovery/instance?api-version=1.1');
  expect(discovery.body.tenant_discovery_endpoint).toContain(vault.tenantId);
});

test('a login is refused with the directory’s number for what is wrong', async () => {
  const { vault, clientId, clientSecret } = await startVault();
  const expired = vault.applications.addSecret(clientId, { expiresAt: new Date('2020-01-01') });
  const right = { client_id: clientId, client_secret: clientSecret };
  const refused: [Record<string, string>, number, number][] = [
    [{ ...right, client_secret: 'wrong' }, 401, 7000215],
    [{ ...right, client_secret: expired }, 401, 7000222],
    [{ client_id: clientId }, 401, 7000218],
    [{ ...right, client_id: crypto.randomUUID() }, 400, 700016],
    [{ ...right, scope: vault.url }, 400, 1002012],
    [{ ...right, grant_type: 'password' }, 400, 70003],
    [{ ...right, scope: '' }, 400, 900144],
  ];
  for (const [form, status, code] of refused) {
    const answer = await askForToken(vault, form);
    expect(answer, String(code)).toMatchObject({ status, body: { error_codes: [code] } });
    expect(answer.body.error_description).toMatch(new RegExp(`^AADSTS${code}: `));
  }
  const elsewhere = `/${crypto.randomUUID()}/oauth2/v2.0/token`;
  const form = new URLSearchParams({ grant_type: 'client_credentials', scope: 'x/.default', ...right }).toString();
  expect((await askAuthority(vault, elsewhere, form)).body.error_codes).toEqual([90002]);
});

test('an assertion by certificate has to be signed with its key, for this endpoint, and be in time', async () => {
  const { vault, clientId } = await startVault();
  const certificate = createTestCertificate('client', [], 'rsa');
  const other = createTestCertificate('other', [], 'rsa');
  vault.applications.addCertificate(clientId, certificate.certificate);
  const print = (pem: string, algorithm: string) =>
    createHash(algorithm).update(new X509Certificate(pem).raw).digest('base64url');
  const seconds = Math.floor(Date.now() / 1000);
  const claims = {
    aud: `${vault.authorityUrl}/${vault.tenantId}/oauth2/v2.0/token`,
    iss: clientId,
    sub: clientId,
    jti: crypto.randomUUID(),
    nbf: seconds,
    exp: seconds + 600,
  };
  const header = { x5t: print(certificate.certificate, 'sha1') };
  const sign = (head: object, body: object, key = certificate.privateKey) => signJwt(head, body, createPrivateKey(key));
  const ask = (assertion: string, type = assertionType) =>
    askForToken(vault, { client_id: clientId, client_assertion_type: type, client_assertion: assertion });

  expect((await ask(sign(header, claims))).status).toBe(200);
  expect((await ask(sign({ 'x5t#S256': print(certificate.certificate, 'sha256') }, claims))).status).toBe(200);
  const refused: [string, number][] = [
    [sign(header, claims, other.privateKey), 700027],
    [sign({ x5t: print(other.certificate, 'sha1') }, claims, other.privateKey), 700027],
    [sign(header, { ...claims, aud: 'https://elsewhere.example.com' }), 700023],
    [sign(header, { ...claims, sub: 'somebody' }), 700021],
    [sign(header, { ...claims, exp: seconds - 301 }), 700024],
    [sign(header, { ...claims, nbf: seconds + 600, exp: seconds + 900 }), 700024],
    [sign(header, { ...claims, jti: undefined }), 50027],
    ['nonsense', 50027],
  ];
  for (const [assertion, code] of refused)
    expect(await ask(assertion), String(code)).toMatchObject({ status: 401, body: { error_codes: [code] } });
  expect((await ask(sign(header, claims), 'something-else')).status).toBe(401);
});

test('a federated token is taken of the issuer, subject and audience that the application trusts', async () => {
  const { vault, clientId } = await startVault();
  const trusted = { issuer: 'https://oidc.example.com/cluster', subject: 'system:serviceaccount:keyferry:keyferry' };
  const cluster = vault.applications.federate(clientId, trusted);
  const stranger = vault.applications.federate(vault.applications.register(), trusted);
  const ask = async (assertion: string) => {
    const form = { client_id: clientId, client_assertion_type: assertionType, client_assertion: assertion };
    const { status, body } = await askForToken(vault, form);
    return status === 200 ? 'taken' : body.error_codes[0];
  };
  expect(await ask(cluster.token())).toBe('taken');
  expect(await ask(cluster.token({ subject: 'system:serviceaccount:other:other' }))).toBe(700213);
  expect(await ask(cluster.token({ audience: 'https://kubernetes.default.svc' }))).toBe(700212);
  expect(await ask(cluster.token({ expiresInSeconds: -600 }))).toBe(700024);
  expect(await ask(stranger.token())).toBe(700211);
});

test('a machine gets a token of its identity with the header that a forwarded request would not have', async () => {
  const { vault } = await startVault();
  const own = vault.applications.registerManaged({ byDefault: true });
  const second = vault.applications.registerManaged();
  const ask = async (query: Record<string, string>, headers: Record<string, string> = { metadata: 'true' }) => {
    const all = new URLSearchParams({ 'api-version': '2018-02-01', resource: vault.url, ...query });
    const response = await fetch(`${vault.url}/metadata/identity/oauth2/token?${all}`, { headers });
    const body = (await response.json()) as Record<string, string>;
    return { status: response.status, body };
  };
  const whoIs = async (query: Record<string, string>) => (await ask(query)).body.client_id;
  expect(await whoIs({})).toBe(own.clientId);
  for (const name of [
    { client_id: second.clientId },
    { object_id: second.objectId },
    { msi_res_id: second.resourceId },
  ])
    expect(await whoIs(name as Record<string, string>)).toBe(second.clientId);
  const { body } = await ask({});
  expect((await askVault(vault, body.access_token ?? '', '/secrets')).status).toBe(200);
  expect((await ask({}, {})).status).toBe(400);
  expect((await ask({}, { metadata: 'true', 'x-forwarded-for': '10.0.0.1' })).status).toBe(400);
  expect((await ask({ client_id: crypto.randomUUID() })).status).toBe(400);
  expect((await ask({ client_id: own.clientId, object_id: own.objectId })).status).toBe(400);
  expect((await ask({ resource: '' })).status).toBe(400);
});

test('an App Service gets a token with the header that it was given', async () => {
  const { vault } = await startVault();
  const own = vault.applications.registerManaged({ byDefault: true });
  const ask = (header: string) =>
    fetch(`${vault.url}/msi/token?api-version=2019-08-01&resource=${encodeURIComponent(vault.url)}`, {
      headers: { 'x-identity-header': header },
    });
  expect((await ask('wrong')).status).toBe(400);
  const answer = await ask(vault.identityHeader);
  expect(await answer.json()).toMatchObject({ client_id: own.clientId, token_type: 'Bearer' });
});

test('an identity may do what it is permitted, altogether and on each secret', async () => {
  const { vault } = await startVault();
  for (const name of ['a', 'b']) vault.secrets.put(name, 'x');
  const reader = vault.applications.register({ permissions: ['get', 'list'] });
  vault.applications.forbid(reader, 'get', 'B');
  const token = await login(vault, { client_id: reader, client_secret: vault.applications.addSecret(reader) });
  const ask = async (path: string, asked = {}) => (await askVault(vault, token, path, asked)).status;
  expect(await ask('/secrets')).toBe(200);
  expect(await ask('/secrets/a')).toBe(200);
  expect(await ask('/secrets/b')).toBe(403);
  expect(await ask('/deletedsecrets/b')).toBe(403);
  expect(await ask('/secrets/a', { body: { value: 'y' } })).toBe(403);
  expect(await ask('/secrets/a', { method: 'DELETE' })).toBe(403);
  expect((await askVault(vault, token, '/secrets/b')).body.error.innererror).toEqual({ code: 'ForbiddenByRbac' });
});

test('a quota refuses what goes beyond it, with the seconds until it begins anew', async () => {
  const clock = manualClock();
  const { vault, ask } = await startVault({ now: clock.now });
  vault.setQuota({ transactions: 5, creates: 2 });
  const statuses = [];
  for (let count = 0; count < 3; count++) statuses.push((await ask('/secrets/a', { body: { value: 'x' } })).status);
  for (let count = 0; count < 3; count++) statuses.push((await ask('/secrets/a')).status);
  expect(statuses).toEqual([200, 200, 429, 200, 200, 429]);
  clock.advance(4);
  const refused = await ask('/secrets/a');
  expect(refused).toMatchObject({ status: 429, body: { error: { code: 'Throttled' } } });
  expect(refused.headers['retry-after']).toBe('6');
  clock.advance(6);
  expect((await ask('/secrets/a')).status).toBe(200);
  vault.setQuota({ transactions: 0, retryAfter: null });
  expect((await ask('/secrets/a')).headers).not.toHaveProperty('retry-after');
  vault.setQuota(null);
  expect((await ask('/secrets/a')).status).toBe(200);
});
