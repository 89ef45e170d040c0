import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { issuerKeys, readOnly, signJwt, startBench } from './harness.ts';
import { failureOf, patient, readOne } from './support.ts';

const pem = (name: string) => readFileSync(new URL(`./fixtures/${name}.pem`, import.meta.url), 'utf8');
const { privateKey, publicPem } = issuerKeys();

const tokenFile = '/run/secrets/token';

/** A vault that takes tokens of an issuer, with a secret that they may read. */
async function benchWithJwt() {
  const bench = await startBench();
  const { vault, clock } = bench;
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  vault.policies.write('reader', readOnly());
  vault.auth.enable('jwt', 'ci/jwt');
  const at = { mount: 'ci/jwt' };
  vault.auth.jwtConfig({ keys: [publicPem] }, at);
  vault.auth.jwtRole('sync', { policies: ['reader'], boundAudiences: ['keyferry'], tokenTtlSeconds: 600 }, at);
  const token = (claims: object = {}, key = privateKey) =>
    signJwt({ sub: 'pipeline', aud: 'keyferry', exp: clock.now() / 1000 + 300, ...claims }, key);
  const connect = (auth: object) =>
    bench.connect({ kv_version: 2, auth: { method: 'jwt', role: 'sync', mount_path: 'ci/jwt', ...auth } });
  return { ...bench, token, connect };
}

test('a token of another issuer logs in', async () => {
  const { token, connect, calls } = await benchWithJwt();
  expect((await readOne(await connect({ jwt: token() }), 'a')).version).toBe('1');
  expect(calls).toEqual({ login: 1, read: 1 });
});

test.for<[string, (bench: Awaited<ReturnType<typeof benchWithJwt>>) => object]>([
  ['signed by another', ({ token }) => ({ jwt: token({}, issuerKeys().privateKey) })],
  ['that has expired', ({ token, clock }) => ({ jwt: token({ exp: clock.now() / 1000 - 100 }) })],
  ['for another audience', ({ token }) => ({ jwt: token({ aud: 'others' }) })],
  ['for another role', ({ token }) => ({ jwt: token(), role: 'none' })],
  ['at another mount', ({ token }) => ({ jwt: token(), mount_path: 'jwt' })],
])('a token %s is unauthenticated, and nothing tells it', async ([, settings]) => {
  const bench = await benchWithJwt();
  const { jwt, ...rest } = settings(bench) as { jwt: string };
  const failure = await failureOf(readOne(await bench.connect({ jwt, ...rest }), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', failureClass: 'unauthenticated' });
  expect(failure.message).not.toContain(jwt.slice(-40));
});

test('a token in a file is read again at each login, so that it may be rotated', async () => {
  const { vault, clock, files, token, connect } = await benchWithJwt();
  files.set(tokenFile, `${token()}\n`);
  const backend = await connect({ jwt_path: tokenFile });
  await readOne(backend, 'a');
  vault.auth.jwtRole('sync', { policies: ['reader'], boundAudiences: ['rotated'] }, { mount: 'ci/jwt' });
  clock.advance(601);
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unauthenticated' });
  files.set(tokenFile, token({ aud: 'rotated' }));
  clock.advance(6);
  expect((await readOne(backend, 'a')).version).toBe('1');
});

test('a file that holds something else is never sent', async () => {
  const { vault, files, connect } = await benchWithJwt();
  files.set(tokenFile, 'root:x:0:0:root:/root:/bin/bash');
  const failure = await failureOf(readOne(await connect({ jwt_path: tokenFile }), 'a'));
  expect(failure.message).toContain(tokenFile);
  expect(failure.message).not.toContain('root:x');
  expect(vault.requests.total).toBe(0);
});

test('an answer to a login that no vault gives is not asked for again for five seconds', async () => {
  const { vault, clock, token, connect } = await benchWithJwt();
  const strange = vault.faults.inject({ path: 'auth/ci/jwt/login', effect: { kind: 'garbage' } });
  const backend = await connect({ jwt: token() });
  for (let round = 0; round < 3; round++)
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'invalid' });
  expect(strange.hits).toBe(1);
  strange.remove();
  clock.advance(5);
  expect((await readOne(backend, 'a')).version).toBe('1');
});

/** A vault that takes certificates, with a secret that whoever shows one may read. */
async function benchWithCertificates(required = false) {
  const bench = await startBench({
    // The certificates are good from late in 2026 on.
    now: () => Date.parse('2027-01-01T00:00:00Z'),
    tls: { cert: pem('server'), key: pem('server-key'), clientCa: pem('authority'), clientCertRequired: required },
  });
  const { auth, mounts, policies } = bench.vault;
  mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  policies.write('reader', readOnly());
  auth.enable('cert');
  auth.certRole('clients', { policies: ['reader'], certificate: pem('authority'), allowedCommonNames: ['client'] });
  const connect = (settings: object) => {
    const tls = { ca_cert: pem('authority'), server_name: 'vault.test' };
    const pair = { client_cert: pem('client'), client_key: pem('client-key') };
    return bench.connect({ kv_version: 2, tls, auth: { method: 'cert', ...pair, ...settings } });
  };
  return { ...bench, connect };
}

test('a client certificate logs in, with and without the name of its role', async () => {
  const { connect, calls } = await benchWithCertificates(true);
  expect((await readOne(await connect({}), 'a')).version).toBe('1');
  expect((await readOne(await connect({ name: 'clients' }), 'a')).version).toBe('1');
  expect(calls).toEqual({ login: 2, read: 2 });
});

test('a certificate that no role takes is unauthenticated', async () => {
  const { connect } = await benchWithCertificates();
  const servers = { client_cert: pem('server'), client_key: pem('server-key') };
  for (const settings of [servers, { name: 'others' }])
    expect(await failureOf((await connect(settings)).confirm('a', patient))).toMatchObject({
      failureClass: 'unauthenticated',
    });
});
