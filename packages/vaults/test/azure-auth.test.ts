import { createTestCertificate } from '@keyferry/emulators';
import { expect, test, vi } from 'vitest';
import { startBench } from './azure-bench.ts';
import { failureOf, listAll, patient, readOne } from './support.ts';

const text = async (...args: Parameters<typeof readOne>) => (await readOne(...args)).value.reveal().toString();

test('a client secret logs in once for all who wait, and the token is used until shortly before its end', async () => {
  const { vault, clock, connect, logins, calls } = await startBench({ tokenSeconds: 3600 });
  for (let index = 0; index < 20; index++) vault.secrets.put(`key-${index}`, `value-${index}`);
  const backend = await connect();
  await Promise.all(Array.from({ length: 20 }, (_, index) => readOne(backend, `key-${index}`)));
  expect(logins()).toBe(1);
  expect(calls.login).toBe(2);
  clock.advance(3600 - 121);
  await readOne(backend, 'key-0');
  expect(logins()).toBe(1);
  clock.advance(2);
  await readOne(backend, 'key-0');
  expect(logins()).toBe(2);
  expect(vault.requests.counts.Challenge).toBe(1);
});

test('a certificate logs in, with its key in the same text or beside it, and with its chain if it is to be sent', async () => {
  const { vault, clientId, connect } = await startBench();
  const { certificate, privateKey } = createTestCertificate('keyferry', [], 'rsa');
  vault.applications.addCertificate(clientId, certificate);
  vault.secrets.put('a', 'x');
  const application = { method: 'certificate', tenant_id: vault.tenantId, client_id: clientId };
  const given = [
    { certificate: certificate + privateKey },
    { certificate: privateKey + certificate },
    { certificate, private_key: privateKey },
    { certificate: certificate + privateKey, send_chain: true },
  ];
  for (const auth of given) expect(await text(await connect({ auth: { ...application, ...auth } }), 'a')).toBe('x');
  const stranger = createTestCertificate('stranger', [], 'rsa');
  const refused = await connect({ auth: { ...application, certificate: stranger.certificate + stranger.privateKey } });
  const failure = await failureOf(readOne(refused, 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
  expect(failure.message).toMatch(
    /the certificate is not registered for the application, or has expired \(AADSTS700027\)/,
  );
});

test('a workload’s token is given, or read from its file again at each login', async () => {
  const { vault, clientId, connect, files, logins } = await startBench();
  const trusted = { issuer: 'https://oidc.example.com', subject: 'system:serviceaccount:keyferry:worker' };
  const cluster = vault.applications.federate(clientId, trusted);
  vault.secrets.put('a', 'x');
  const application = { method: 'workload_identity', tenant_id: vault.tenantId, client_id: clientId };
  expect(await text(await connect({ auth: { ...application, token: cluster.token() } }), 'a')).toBe('x');

  const token_file = '/run/workload/token';
  const backend = await connect({ auth: { ...application, token_file } });
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unauthenticated' });
  files.set(token_file, 'nothing of that kind');
  const other = await connect({ auth: { ...application, token_file } });
  expect((await failureOf(readOne(other, 'a'))).message).toMatch(
    /\/run\/workload\/token: the file holds no JSON web token/,
  );
  const before = logins();
  files.set(token_file, `${cluster.token()}\n`);
  const third = await connect({ auth: { ...application, token_file } });
  expect(await text(third, 'a')).toBe('x');
  vault.revokeTokens();
  files.set(token_file, cluster.token({ subject: 'system:serviceaccount:other:other' }));
  expect((await failureOf(readOne(third, 'a'))).message).toMatch(/trusts no such subject.*AADSTS700213/);
  expect(logins()).toBe(before + 2);
});

test('a login that is refused says what is wrong with the settings, and shows none of them', async () => {
  const { vault, clientId, connect } = await startBench();
  const application = {
    method: 'client_secret',
    tenant_id: vault.tenantId,
    client_id: clientId,
    client_secret: 'canary',
  };
  const expired = vault.applications.addSecret(clientId, { expiresAt: new Date('2020-01-01') });
  const cases: [object, RegExp][] = [
    [{}, /the client secret is wrong; give its value, not its id \(AADSTS7000215\)/],
    [{ client_secret: expired }, /the client secret has expired; make a new one \(AADSTS7000222\)/],
    [{ client_id: crypto.randomUUID() }, /no application with this client_id; check tenant_id too \(AADSTS700016\)/],
    [
      { tenant_id: 'contoso.example.com' },
      /no directory with this tenant_id \(AADSTS90002\)|not what a directory answers/,
    ],
  ];
  for (const [parts, expected] of cases) {
    const failure = await failureOf((await connect({ auth: { ...application, ...parts } })).probe(patient));
    expect(failure.message).toMatch(expected);
    expect(failure.message).not.toContain('canary');
    expect(failure.failureClass).toBe('unauthenticated');
  }
});

test('a refused login is not tried again for five seconds, however many ask', async () => {
  const { vault, clock, clientId, connect, logins } = await startBench();
  vault.applications.removeSecrets(clientId);
  const backend = await connect();
  for (let round = 0; round < 3; round++)
    await Promise.all(['a', 'b'].map((path) => failureOf(readOne(backend, path))));
  expect(logins()).toBe(1);
  clock.advance(5);
  await failureOf(readOne(backend, 'a'));
  expect(logins()).toBe(2);
});

test('an outage of the directory is none of the credentials, and is tried again at once', async () => {
  const { vault, connect, logins } = await startBench();
  vault.secrets.put('a', 'x');
  const backend = await connect();
  vault.faults.inject({
    operation: 'Token',
    times: 1,
    effect: { kind: 'status', status: 503, body: { error: 'canary' } },
  });
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unavailable' });
  vault.faults.inject({
    operation: 'Token',
    times: 1,
    effect: { kind: 'status', status: 429, body: { error: 'x' }, headers: { 'retry-after': '9' } },
  });
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'throttled', retryAfterMs: 9_000 });
  expect(await text(backend, 'a')).toBe('x');
  expect(logins()).toBe(3);
});

test('a token that the vault does not accept is replaced once, for all who met that', async () => {
  const { vault, clock, connect, logins } = await startBench();
  for (const name of ['a', 'b', 'c']) vault.secrets.put(name, name);
  const backend = await connect();
  await readOne(backend, 'a');
  clock.advance(60);
  vault.revokeTokens();
  const read = await Promise.all(['a', 'b', 'c'].map((path) => text(backend, path)));
  expect(read).toEqual(['a', 'b', 'c']);
  expect(logins()).toBe(2);
});

test('a vault that accepts no token gets no more than two of them in five seconds', async () => {
  const { vault, clock, connect, logins } = await startBench();
  const backend = await connect();
  const refused = { kind: 'status', status: 401, body: { error: { code: 'Unauthorized' } } } as const;
  vault.faults.inject({ when: ({ operation }) => operation?.startsWith('GetSecret') === true, effect: refused });
  for (let round = 0; round < 4; round++)
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unauthenticated' });
  expect(logins()).toBe(2);
  clock.advance(5);
  await failureOf(listAll(backend));
  expect(logins()).toBe(3);
});

test('credentials go to the directory’s own address alone, whatever it says of itself', async () => {
  const { vault, connect, logins } = await startBench();
  const elsewhere = await startBench();
  const { tenantId } = vault;
  const body = {
    issuer: `${vault.authorityUrl}/${tenantId}/v2.0`,
    authorization_endpoint: `${elsewhere.vault.authorityUrl}/authorize`,
    token_endpoint: `${elsewhere.vault.authorityUrl}/${tenantId}/oauth2/v2.0/token`,
    jwks_uri: `${vault.authorityUrl}/keys`,
  };
  vault.faults.inject({ operation: 'OpenIdConfiguration', effect: { kind: 'garbage', body: JSON.stringify(body) } });
  const backend = await connect({ tls: { ca_cert: vault.caCert + elsewhere.vault.caCert } });
  const failure = await failureOf(readOne(backend, 'a'));
  expect(failure.failureClass).toMatch(/invalid|unauthenticated/);
  expect(logins()).toBe(0);
  expect(elsewhere.vault.requests.total).toBe(0);
});

test('nothing of the process’s environment takes part in a login with credentials', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('a', 'x');
  for (const [name, value] of Object.entries({
    AZURE_AUTHORITY_HOST: 'https://login.operator.example.com',
    AZURE_TENANT_ID: crypto.randomUUID(),
    AZURE_CLIENT_ID: crypto.randomUUID(),
    AZURE_CLIENT_SECRET: 'operators-own',
    HTTPS_PROXY: 'http://127.0.0.1:1',
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
  }))
    vi.stubEnv(name, value);
  try {
    expect(await text(await connect(), 'a')).toBe('x');
    const untrusting = await connect({ tls: undefined });
    const failure = await failureOf(readOne(untrusting, 'a'));
    expect(failure).toMatchObject({ failureClass: 'unavailable', message: expect.stringMatching(/certificate/) });
  } finally {
    vi.unstubAllEnvs();
  }
});

test('what is no directory gets the credentials once in five seconds', async () => {
  const { vault, clock, connect, logins } = await startBench();
  const strange = vault.faults.inject({ operation: 'Token', effect: { kind: 'status', status: 404, body: '<html>' } });
  const backend = await connect();
  for (let round = 0; round < 3; round++)
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'invalid' });
  expect(logins()).toBe(1);
  strange.remove();
  clock.advance(5);
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_not_found' });
});

test('a token that has ended by this machine’s clock alone is used for five seconds all the same', async () => {
  const { vault, clock, connect, logins } = await startBench({ tokenSeconds: 1 });
  vault.secrets.put('a', 'x');
  const answer = { token_type: 'Bearer', expires_in: -60, ext_expires_in: -60, access_token: 'made-up' };
  vault.faults.inject({ operation: 'Token', effect: { kind: 'status', status: 200, body: answer } });
  vault.faults.inject({ operation: 'GetSecret', effect: { kind: 'status', status: 403 } });
  const backend = await connect();
  for (let round = 0; round < 3; round++) await failureOf(readOne(backend, 'a'));
  expect(logins()).toBe(1);
  clock.advance(5);
  await failureOf(readOne(backend, 'a'));
  expect(logins()).toBe(2);
});

test('a directory that is away as a token nears its end costs nothing, until it has ended', async () => {
  const { vault, clock, connect, logins } = await startBench({ tokenSeconds: 3600 });
  vault.secrets.put('a', 'x');
  const backend = await connect();
  await readOne(backend, 'a');
  const outage = vault.faults.inject({ operation: 'Token', effect: { kind: 'status', status: 503, body: {} } });
  clock.advance(3600 - 100);
  for (let round = 0; round < 3; round++) expect(await text(backend, 'a')).toBe('x');
  expect(logins()).toBe(2);
  clock.advance(30);
  expect(await text(backend, 'a')).toBe('x');
  expect(logins()).toBe(3);
  clock.advance(70);
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unavailable' });
  outage.remove();
  expect(await text(backend, 'a')).toBe('x');
});
