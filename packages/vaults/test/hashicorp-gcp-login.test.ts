import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { issuerKeys, readOnly, signJwt, startBench } from './harness.ts';
import { failureOf, readOne } from './support.ts';

const email = 'sync@project.iam.gserviceaccount.com';
const { privateKey, publicPem } = issuerKeys();

const account = (change: object = {}) =>
  JSON.stringify({
    type: 'service_account',
    client_email: email,
    private_key_id: 'k1',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ...change,
  });

/** A vault that asks Google for keys, with a secret that the roles may read. */
async function benchWithGcp() {
  const bench = await startBench();
  const { auth, mounts, policies } = bench.vault;
  mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  policies.write('reader', readOnly());
  auth.enable('gcp');
  auth.gcpKey(email, 'k1', publicPem);
  auth.gcpKey(null, 'google', publicPem);
  const role = { policies: ['reader'], boundServiceAccounts: [email], tokenTtlSeconds: 600 };
  auth.gcpRole('sync', { ...role, type: 'iam' });
  auth.gcpRole('machine', { ...role, type: 'gce' });
  const connect = (settings: object) =>
    bench.connect({ kv_version: 2, auth: { method: 'gcp', role: 'sync', ...settings } });
  return { ...bench, connect };
}

test('a service account’s key signs a token for the role, anew at each login', async () => {
  const { clock, vault, connect } = await benchWithGcp();
  const backend = await connect({ credentials_json: account() });
  expect((await readOne(backend, 'a')).version).toBe('1');
  clock.advance(3_600);
  expect((await readOne(backend, 'a')).version).toBe('1');
  expect(vault.requests.counts.login).toBe(2);
});

test('a token that was signed elsewhere logs in', async () => {
  const { clock, connect } = await benchWithGcp();
  const claims = { sub: email, aud: 'https://vault.example.com/vault/sync', exp: clock.now() / 1000 + 300 };
  const backend = await connect({ jwt: signJwt(claims, privateKey, { kid: 'k1' }) });
  expect((await readOne(backend, 'a')).version).toBe('1');
});

test.for<[string, object]>([
  ['whose key Google does not know', { credentials_json: account({ private_key_id: 'k2' }) }],
  [
    'that the role is not for',
    { credentials_json: account({ client_email: 'other@project.iam.gserviceaccount.com' }) },
  ],
  [
    'with the key of another',
    { credentials_json: account({ private_key: issuerKeys().privateKey.export({ type: 'pkcs8', format: 'pem' }) }) },
  ],
  ['for a role that is not there', { credentials_json: account(), role: 'none' }],
  ['for a role of machines', { credentials_json: account(), role: 'machine' }],
  ['whose token has expired', { jwt: signJwt({ sub: email, aud: 'vault/sync', exp: 1 }, privateKey, { kid: 'k1' }) }],
])('a service account %s is unauthenticated, and nothing tells it', async ([, settings]) => {
  const { connect } = await benchWithGcp();
  const failure = await failureOf(readOne(await connect(settings), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', failureClass: 'unauthenticated' });
  expect(inspect(failure, { depth: 10, showHidden: true })).not.toMatch(/PRIVATE KEY|eyJ/);
});

/** The metadata server of a machine in Google's cloud. */
async function metadataServer(answer: (response: ServerResponse, url: URL) => void): Promise<void> {
  const server = createServer((request, response) => {
    response.setHeader('metadata-flavor', 'Google');
    if (request.headers['metadata-flavor'] !== 'Google') response.writeHead(403).end();
    else answer(response, new URL(request.url ?? '', 'http://metadata'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('GCE_METADATA_HOST', `127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    server.closeAllConnections();
    server.close();
  });
}

test('a machine in Google’s cloud logs in by the token that its metadata server gives', async () => {
  const { clock, connect, calls } = await benchWithGcp();
  await metadataServer((response, { pathname, searchParams }) => {
    expect(pathname).toBe('/computeMetadata/v1/instance/service-accounts/default/identity');
    expect(searchParams.get('format')).toBe('full');
    const claims = {
      sub: '123',
      email,
      aud: searchParams.get('audience'),
      exp: clock.now() / 1000 + 3_600,
      google: { compute_engine: { instance_id: '7' } },
    };
    response.end(signJwt(claims, privateKey, { kid: 'google' }));
  });
  expect((await readOne(await connect({ role: 'machine' }), 'a')).version).toBe('1');
  expect(calls).toEqual({ login: 2, read: 1 });
});

test('a machine that has no service account is unauthenticated, and the vault is not asked', async () => {
  const { vault, connect } = await benchWithGcp();
  await metadataServer((response) => response.writeHead(404).end('canary'));
  const failure = await failureOf(readOne(await connect({ role: 'machine' }), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', failureClass: 'unauthenticated' });
  expect(failure.message).toContain('attach a service account');
  expect(failure.message).not.toContain('canary');
  expect(vault.requests.total).toBe(0);
});

test('an abort ends the wait for a metadata server', async () => {
  const { connect } = await benchWithGcp();
  const asked = Promise.withResolvers<void>();
  await metadataServer(() => asked.resolve());
  const controller = new AbortController();
  const confirming = (await connect({ role: 'machine' })).confirm('a', controller.signal);
  await asked.promise;
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(confirming).rejects.toBe(reason);
});
