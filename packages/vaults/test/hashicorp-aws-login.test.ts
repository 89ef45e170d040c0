import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readOnly, startBench } from './harness.ts';
import { failureOf, patient, readOne } from './support.ts';

const key = { access_key_id: 'AKIAEXAMPLE', secret_access_key: 'not-a-secret/of+anybody' };
const session = {
  access_key_id: 'ASIAEXAMPLE',
  secret_access_key: 'neither/is+this',
  session_token: 'session-token==',
};

/** A vault that asks AWS who has signed, with a secret that the role may read. */
async function benchWithAws() {
  const bench = await startBench();
  const { auth, mounts, policies } = bench.vault;
  mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  policies.write('reader', readOnly());
  auth.enable('aws');
  auth.awsRole('sync', { policies: ['reader'], boundPrincipals: ['arn:aws:iam::123456789012:user/sync'] });
  auth.awsRole('worker', { policies: ['reader'], boundPrincipals: ['arn:aws:iam::123456789012:role/work*'] });
  auth.awsKey(key.access_key_id, {
    secretAccessKey: key.secret_access_key,
    arn: 'arn:aws:iam::123456789012:user/sync',
  });
  auth.awsKey(session.access_key_id, {
    secretAccessKey: session.secret_access_key,
    sessionToken: session.session_token,
    arn: 'arn:aws:sts::123456789012:assumed-role/worker/i-0abc',
    expiresAt: bench.clock.now() + 3_600_000,
  });
  const connect = (settings: object) => bench.connect({ kv_version: 2, auth: { method: 'aws', ...settings } });
  return { ...bench, connect };
}

test('a key signs for its user, whose name is the role’s unless another is given', async () => {
  const { connect, calls } = await benchWithAws();
  expect((await readOne(await connect({ ...key, role: 'sync' }), 'a')).version).toBe('1');
  expect((await readOne(await connect(key), 'a')).version).toBe('1');
  expect(calls).toEqual({ login: 2, read: 2 });
});

test('a key of a session signs for its role', async () => {
  const { connect } = await benchWithAws();
  expect((await readOne(await connect({ ...session, role: 'worker' }), 'a')).version).toBe('1');
});

test('the header that a vault demands is signed as well', async () => {
  const { vault, connect } = await benchWithAws();
  vault.auth.awsConfig({ serverId: 'vault.example.com' });
  expect((await readOne(await connect({ ...key, header_value: 'vault.example.com' }), 'a')).version).toBe('1');
  for (const settings of [key, { ...key, header_value: 'other.example.com' }])
    expect(await failureOf(readOne(await connect(settings), 'a'))).toMatchObject({ failureClass: 'unauthenticated' });
});

test('a vault that asks in a region of its own wants it signed for that', async () => {
  const { vault, connect } = await benchWithAws();
  vault.auth.awsConfig({ stsEndpoint: 'https://sts.eu-central-1.amazonaws.com' });
  expect((await readOne(await connect({ ...key, region: 'eu-central-1' }), 'a')).version).toBe('1');
  expect(await failureOf(readOne(await connect(key), 'a'))).toMatchObject({ failureClass: 'unauthenticated' });
});

test('an endpoint of a company’s own may be signed for', async () => {
  const { vault, connect } = await benchWithAws();
  vault.auth.awsConfig({ stsEndpoint: 'https://sts.internal.example.com:8443' });
  const settings = { ...key, sts_endpoint: 'https://sts.internal.example.com:8443' };
  expect((await readOne(await connect(settings), 'a')).version).toBe('1');
});

test.for<[string, object]>([
  ['with another secret', { ...key, secret_access_key: 'another' }],
  ['that AWS does not know', { ...key, access_key_id: 'AKIAOTHER' }],
  ['without its session token', { ...session, session_token: undefined, role: 'worker' }],
  ['with another session token', { ...session, session_token: 'other', role: 'worker' }],
  ['for a role that is not there', { ...key, role: 'none' }],
  ['for a role that is another’s', { ...key, role: 'worker' }],
])('a key %s is unauthenticated, and nothing tells it', async ([, settings]) => {
  const { connect } = await benchWithAws();
  const failure = await failureOf(readOne(await connect(settings), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', failureClass: 'unauthenticated' });
  const shown = inspect(failure, { depth: 10, showHidden: true });
  for (const secret of [key.secret_access_key, session.secret_access_key, session.session_token, 'Signature='])
    expect(shown).not.toContain(secret);
});

test('a session that has ended is unauthenticated', async () => {
  const { clock, connect } = await benchWithAws();
  const backend = await connect({ ...session, role: 'worker' });
  clock.advance(3_601);
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unauthenticated' });
});

/** A machine whose AWS identity is in nothing but these variables. */
function machine(variables: Record<string, string> = {}) {
  const files = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
  const all = { ...files, AWS_EC2_METADATA_DISABLED: 'true', AWS_PROFILE: '', ...variables };
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
}

/** A container's credentials service. */
async function containerCredentials(answer: (count: number) => object | null): Promise<string> {
  let count = 0;
  const server = createServer((_request, response) => {
    count += 1;
    const body = answer(count);
    if (body !== null) response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/credentials`;
}

const served = {
  AccessKeyId: session.access_key_id,
  SecretAccessKey: session.secret_access_key,
  Token: session.session_token,
  Expiration: '2100-01-01T00:00:00Z',
};

test('the machine’s own key signs where none is given', async () => {
  machine({ AWS_ACCESS_KEY_ID: key.access_key_id, AWS_SECRET_ACCESS_KEY: key.secret_access_key });
  const { connect, calls } = await benchWithAws();
  expect((await readOne(await connect({ role: 'sync' }), 'a')).version).toBe('1');
  expect(calls).toEqual({ login: 2, read: 1 });
});

test('what the SDK has to say of the environment is not printed', async () => {
  const printed = vi.spyOn(console, 'warn').mockImplementation(() => {});
  machine({ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's', AWS_PROFILE: 'none' });
  const { connect } = await benchWithAws();
  await failureOf(readOne(await connect({ role: 'sync' }), 'a'));
  expect(printed).not.toHaveBeenCalled();
  printed.mockRestore();
});

test('the machine’s own session is asked for at each login', async () => {
  const keys: string[] = [];
  machine({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: await containerCredentials((count) => {
      keys.push(`${count}`);
      return served;
    }),
  });
  const { clock, connect } = await benchWithAws();
  const backend = await connect({ role: 'worker' });
  await readOne(backend, 'a');
  clock.advance(768 * 3600 + 1);
  await failureOf(readOne(backend, 'a'));
  expect(keys).toEqual(['1', '2']);
});

test('a machine without an identity is unauthenticated, and the vault is not asked', async () => {
  machine();
  const { vault, connect } = await benchWithAws();
  const failure = await failureOf(readOne(await connect({ role: 'sync' }), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', failureClass: 'unauthenticated' });
  expect(failure.message).toContain('AWS identity of this machine');
  expect(vault.requests.total).toBe(0);
});

test('an abort ends the wait for a machine’s identity', async () => {
  const asked = Promise.withResolvers<void>();
  machine({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: await containerCredentials(() => {
      asked.resolve();
      return null;
    }),
  });
  const { connect } = await benchWithAws();
  const backend = await connect({ role: 'worker' });
  const controller = new AbortController();
  const confirming = backend.confirm('a', controller.signal);
  await asked.promise;
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(confirming).rejects.toBe(reason);
});

test('nothing of the machine’s decides about a tenant’s key', async () => {
  machine({
    AWS_ENDPOINT_URL_STS: 'https://operator.example.com',
    AWS_REGION: 'eu-west-1',
    AWS_USE_FIPS_ENDPOINT: 'true',
  });
  const { connect } = await benchWithAws();
  expect(await (await connect({ ...key, role: 'sync' })).confirm('a', patient)).toBe('present');
});
