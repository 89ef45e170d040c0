import { afterEach, expect, test, vi } from 'vitest';
import { answering, realClock, startBench } from './gcp-bench.ts';
import { failureOf, fetchAll, patient, readOne } from './support.ts';

afterEach(() => void vi.unstubAllEnvs());

async function benchWithSecret(options = {}) {
  const bench = await startBench(options);
  bench.secrets.put('a', 'x');
  return bench;
}

test('fifty callers at once share one login, which is counted as such', async () => {
  const { connect, asked, calls } = await benchWithSecret();
  const backend = await connect();
  await Promise.all(Array.from({ length: 50 }, () => backend.confirm('a', patient)));
  expect(asked('Token')).toBe(1);
  expect(calls).toEqual({ login: 1, confirm: 100 });
});

test('the abort of the caller who began the login does not fail the others', async () => {
  const { connect } = await benchWithSecret();
  const backend = await connect();
  const controller = new AbortController();
  const first = backend.confirm('a', controller.signal);
  const second = backend.confirm('a', patient);
  controller.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  expect(await second).toBe('present');
});

test('a token is replaced five minutes before its end, or in the last tenth of a short life', async () => {
  const { vault, clock, connect, asked } = await benchWithSecret({ tokenSeconds: 3_600 });
  const backend = await connect();
  await readOne(backend, 'a');
  clock.advance(3_298);
  await readOne(backend, 'a');
  expect(asked('Token')).toBe(1);
  vault.setTokenSeconds(100);
  clock.advance(1);
  await readOne(backend, 'a');
  expect(asked('Token')).toBe(2);
  clock.advance(89);
  await readOne(backend, 'a');
  expect(asked('Token')).toBe(2);
  clock.advance(1);
  await readOne(backend, 'a');
  expect(asked('Token')).toBe(3);
});

test('while no token can be had, the one that is still good is used', async () => {
  const { vault, clock, connect, asked } = await benchWithSecret();
  const backend = await connect();
  await readOne(backend, 'a');
  clock.advance(3_400);
  const outage = vault.faults.inject({ operation: 'Token', effect: { kind: 'status', status: 503 } });
  await fetchAll(backend, ['a', 'a', 'a']);
  await readOne(backend, 'a');
  expect(outage.hits).toBe(1);
  clock.advance(30);
  await readOne(backend, 'a');
  expect(outage.hits).toBe(2);
  clock.advance(200);
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unavailable' });
  outage.remove();
  await readOne(backend, 'a');
  expect(asked('Token')).toBe(5);
});

test('a token that the vault refuses is replaced by one login, however many meet it', async () => {
  const { vault, secrets, connect, asked } = await benchWithSecret();
  const ids = Array.from({ length: 50 }, (_, index) => `s${index}`);
  for (const id of ids) secrets.put(id, 'x');
  const backend = await connect();
  await readOne(backend, 'a');
  vault.revokeTokens();
  expect(new Set((await fetchAll(backend, ids)).values())).toEqual(new Set(['x']));
  expect(asked('Token')).toBe(2);
});

test('a vault that refuses every token gets one more, and is asked for no third at once', async () => {
  const { vault, connect, asked } = await benchWithSecret();
  const backend = await connect();
  const body = { error: { code: 401, status: 'UNAUTHENTICATED', message: 'canary' } };
  vault.faults.inject({ operation: 'AccessSecretVersion', effect: { kind: 'status', status: 401, body } });
  for (let time = 0; time < 3; time += 1)
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_unauthenticated' });
  expect(asked('Token')).toBe(2);
});

test('a refused key is remembered for a moment, so that not every secret asks again', async () => {
  const { vault, clock, connect, asked } = await benchWithSecret();
  const backend = await connect();
  vault.identities.disable(vault.owner);
  const found = await fetchAll(
    backend,
    Array.from({ length: 100 }, (_, index) => `${index}`),
  );
  expect(new Set(found.values())).toEqual(new Set(['vault_unauthenticated']));
  expect(asked('Token')).toBe(1);
  clock.advance(6);
  const failure = await failureOf(readOne(backend, 'a'));
  expect(failure.message).toBe(`Could not log in as ${vault.owner}: the credentials are refused (400).`);
  expect(asked('Token')).toBe(2);
});

test('a permission denied brings no login', async () => {
  const { vault, connect, asked } = await benchWithSecret();
  vault.identities.deny(vault.owner, { permission: 'secretmanager.versions.access' });
  const found = await fetchAll(await connect(), ['a', 'b', 'c']);
  expect([...found.values()]).toEqual(['vault_forbidden', 'vault_forbidden', 'vault_forbidden']);
  expect(asked('Token')).toBe(1);
});

test('a token that no header can carry is no broken connection', async () => {
  const { vault, connect } = await benchWithSecret();
  const effect = answering({ access_token: 'a\nb', expires_in: 3_600 });
  vault.faults.inject({ operation: 'Token', effect });
  expect(await failureOf(readOne(await connect(), 'a'))).toMatchObject({ failureClass: 'invalid' });
});

test('a key file of the operator’s is read again at each login', async () => {
  const { vault, clock, files, connect } = await benchWithSecret();
  const path = '/run/key.json';
  const auth = { method: 'service_account', credentials_file: path };
  const backend = await connect({ auth });
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'reference_unresolved' });
  clock.advance(6);
  files.set(path, '{"private_key": "canary"}');
  const failure = await failureOf(readOne(backend, 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', message: expect.stringContaining(path) });
  expect(failure.message).not.toContain('canary');
  clock.advance(6);
  files.set(path, vault.identities.keyFile(vault.owner));
  await readOne(backend, 'a');
  vault.identities.rotateKey(vault.owner);
  vault.revokeTokens();
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_unauthenticated' });
  clock.advance(6);
  files.set(path, vault.identities.keyFile(vault.owner));
  await readOne(backend, 'a');
});

test.for(['text', 'json'] as const)('the token of a cluster, in a file of %s, is exchanged', async (type) => {
  const { vault, files, connect, asked, calls } = await benchWithSecret();
  const pool = vault.identities.pool('cluster');
  vault.identities.grant(pool.principal('pod'), vault.projectId);
  const token = pool.subjectToken('pod');
  files.set('/var/run/token', type === 'text' ? `${token}\n` : JSON.stringify({ id_token: token }));
  const format = type === 'text' ? { type } : { type, subject_token_field_name: 'id_token' };
  const auth = {
    method: 'workload_identity',
    credentials_json: pool.credentials({ file: '/var/run/token', format }),
  };
  expect((await readOne(await connect({ auth }), 'a')).version).toBe('1');
  expect([asked('ExchangeToken'), calls.login]).toEqual([1, 1]);
});

test('an exchanged token gives one of a service account, for as long as that lives', async () => {
  const { vault, clock, files, connect, asked, calls } = await benchWithSecret();
  const pool = vault.identities.pool('cluster', { actsAs: vault.owner });
  files.set('/var/run/token', pool.subjectToken('pod'));
  const more = { service_account_impersonation: { token_lifetime_seconds: 1_000 } };
  const credentials_json = pool.credentials({ file: '/var/run/token' }, more);
  const backend = await connect({ auth: { method: 'workload_identity', credentials_json } });
  await readOne(backend, 'a');
  expect([asked('ExchangeToken'), asked('GenerateAccessToken'), calls.login]).toEqual([1, 1, 2]);
  clock.advance(899);
  await readOne(backend, 'a');
  expect(calls.login).toBe(2);
  files.set('/var/run/token', pool.subjectToken('pod'));
  clock.advance(1);
  await readOne(backend, 'a');
  expect(calls.login).toBe(4);
});

test('who may not act as the service account is told so', async () => {
  const { vault, files, connect } = await benchWithSecret();
  const pool = vault.identities.pool('cluster', { actsAs: vault.owner });
  files.set('/var/run/token', pool.subjectToken('pod', { sub: 'stranger' }));
  const auth = { method: 'workload_identity', credentials_json: pool.credentials({ file: '/var/run/token' }) };
  const failure = await failureOf(readOne(await connect({ auth }), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
  expect(failure.message).toContain('service_account_impersonation_url');
});

test('a file that holds no token is never sent', async () => {
  const { vault, files, connect, asked } = await benchWithSecret();
  const pool = vault.identities.pool('cluster');
  files.set('/run/master.key', 'bm90IGEgdG9rZW4gYnV0IGEgbWFzdGVyIGtleQ==');
  const auth = { method: 'workload_identity', credentials_json: pool.credentials({ file: '/run/master.key' }) };
  const failure = await failureOf(readOne(await connect({ auth }), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', message: expect.not.stringContaining('bm90') });
  expect(asked('ExchangeToken')).toBe(0);
});

test('a token from a URL is asked for with its headers, and exchanged', async () => {
  const { vault, connect, calls } = await benchWithSecret();
  const pool = vault.identities.pool('ci');
  vault.identities.grant(pool.principal('job'), vault.projectId);
  const url = `${vault.url}/computeMetadata/v1/token`;
  const format = { type: 'json', subject_token_field_name: 'value' };
  vault.faults.inject({
    path: '/computeMetadata/v1/token',
    effect: answering({ value: pool.subjectToken('job') }),
  });
  const headers = { 'Metadata-Flavor': 'Google' };
  const auth = { method: 'workload_identity', credentials_json: pool.credentials({ url, headers, format }) };
  expect((await readOne(await connect({ auth }), 'a')).version).toBe('1');
  expect(calls.login).toBe(2);
});

test('the machine’s own service account gives its token', async () => {
  const { vault, connect, asked } = await benchWithSecret();
  vi.stubEnv('GCE_METADATA_HOST', new URL(vault.url).host);
  const backend = await connect({ auth: { method: 'metadata_server' } });
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_unauthenticated' });
  vault.identities.onMachine(vault.owner);
  const other = await connect({ auth: { method: 'metadata_server' } });
  expect((await readOne(other, 'a')).version).toBe('1');
  expect(asked('Metadata')).toBe(2);
});

test('what answers in the place of the metadata server is not believed', async () => {
  const { vault, connect } = await benchWithSecret();
  vi.stubEnv('GCE_METADATA_HOST', new URL(vault.url).host);
  vault.faults.inject({ operation: 'Metadata', effect: answering({ access_token: 'canary', expires_in: 3_600 }) });
  const backend = await connect({ auth: { method: 'metadata_server' } });
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'invalid' });
});

test('a signature of the machine’s identity in AWS is exchanged', async () => {
  // AWS's signer goes by the clock of the machine.
  const clock = realClock();
  const { vault, secrets, connect } = await startBench({}, clock);
  secrets.put('a', 'x');
  const key = { id: 'AKIAEXAMPLE', secret: 'canary-secret', arn: 'arn:aws:sts::123456789012:assumed-role/sync/i-1' };
  const credentials_json = vault.identities.awsPool(key, vault.projectId);
  const auth = { method: 'workload_identity', credentials_json };
  vi.stubEnv('AWS_ACCESS_KEY_ID', key.id);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', key.secret);
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  expect((await readOne(await connect({ auth }), 'a')).version).toBe('1');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'another');
  expect(await failureOf(readOne(await connect({ auth }), 'a'))).toMatchObject({ code: 'vault_unauthenticated' });
});

test('a machine without an identity in AWS is told so', async () => {
  const { vault, connect, asked } = await startBench();
  const key = { id: 'AKIAEXAMPLE', secret: 's', arn: 'arn:aws:sts::123456789012:assumed-role/sync/i-1' };
  const auth = { method: 'workload_identity', credentials_json: vault.identities.awsPool(key, vault.projectId) };
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, '');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere');
  expect((await failureOf(readOne(await connect({ auth }), 'a'))).message).toBe(
    'Could not prove this machine’s identity in AWS: none was found.',
  );
  expect(asked('ExchangeToken')).toBe(0);
});
