import type { VaultEmulator } from '@keyferry/emulators';
import { expect, test } from 'vitest';
import { readOnly, startBench } from './harness.ts';
import { failureOf, fetchAll, patient, readOne, TestClock } from './support.ts';

async function benchWithRole(role = {}, options = {}) {
  const bench = await startBench(options);
  const { vault } = bench;
  const kv = vault.mounts.enable('secret', { type: 'kv', version: 2 });
  kv.put('a', { value: 'x' });
  vault.policies.write('reader', readOnly());
  vault.auth.enable('approle');
  const role_id = vault.auth.appRole('sync', { policies: ['reader'], ...role });
  /** By AppRole, with these settings besides or instead. */
  const connect = (settings: Record<string, unknown> = {}) => {
    return connectBy({ method: 'approle', role_id, secret_id: vault.auth.secretId('sync'), ...settings });
  };
  const connectBy = (auth: Record<string, unknown>) => bench.connect({ kv_version: 2, auth });
  return { ...bench, kv, connect, connectBy };
}

const asked = (vault: VaultEmulator, path: string) => vault.requests.all.filter((request) => request.path === path);

test('fifty callers at once share one login', async () => {
  const { vault, connect } = await benchWithRole();
  const backend = await connect();
  await Promise.all(Array.from({ length: 50 }, () => backend.confirm('a', patient)));
  expect(vault.requests.counts.login).toBe(1);
});

test('the abort of the caller who began the login does not fail the others', async () => {
  const { connect } = await benchWithRole();
  const backend = await connect();
  const controller = new AbortController();
  const first = backend.confirm('a', controller.signal);
  const second = backend.confirm('a', patient);
  controller.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  expect(await second).toBe('present');
});

test('a token is renewed at 90% of its lease, for as long as the vault lets it', async () => {
  const { vault, clock, connect } = await benchWithRole({ tokenTtlSeconds: 600, tokenMaxTtlSeconds: 1_000 });
  const backend = await connect();
  await readOne(backend, 'a');
  clock.advance(539);
  expect(asked(vault, 'auth/token/renew-self')).toHaveLength(0);
  clock.advance(1);
  await expect.poll(() => clock.waiting).toBe(1);
  expect(asked(vault, 'auth/token/renew-self')).toHaveLength(1);
  clock.advance(400);
  await readOne(backend, 'a');
  expect(vault.requests.counts.login).toBe(1);
  clock.advance(200);
  await readOne(backend, 'a');
  expect(vault.requests.counts.login).toBe(2);
});

test('a lease that is longer than a timer can wait is renewed before its time', async () => {
  const days = 24 * 3600;
  const { vault, clock, connect } = await benchWithRole({ tokenTtlSeconds: 32 * days });
  await readOne(await connect(), 'a');
  clock.advance(25 * days);
  await expect.poll(() => clock.waiting).toBe(1);
  expect(asked(vault, 'auth/token/renew-self')).toHaveLength(1);
});

test('a token that cannot be renewed is replaced when its lease is over', async () => {
  const { vault, clock, connect } = await benchWithRole({ tokenTtlSeconds: 600, tokenType: 'batch' });
  const backend = await connect();
  await readOne(backend, 'a');
  clock.advance(599);
  await readOne(backend, 'a');
  expect(vault.requests.counts).toMatchObject({ login: 1 });
  clock.advance(2);
  await readOne(backend, 'a');
  expect(vault.requests.counts).toMatchObject({ login: 2 });
  expect(asked(vault, 'auth/token/renew-self')).toHaveLength(0);
});

test('a renewal that meets an outage is tried again before the lease is over', async () => {
  const { vault, clock, connect } = await benchWithRole({ tokenTtlSeconds: 1_000 });
  const backend = await connect();
  await readOne(backend, 'a');
  const outage = vault.faults.inject({ effect: { kind: 'status', status: 503 }, path: 'auth/token/renew-self' });
  clock.advance(900);
  await expect.poll(() => outage.hits).toBe(1);
  outage.remove();
  await expect.poll(() => clock.waiting).toBe(1);
  clock.advance(50);
  await expect.poll(() => clock.waiting).toBe(1);
  clock.advance(500);
  await readOne(backend, 'a');
  expect(vault.requests.counts.login).toBe(1);
});

test('a token we were given is renewed as well', async () => {
  const { vault, clock, connectBy } = await benchWithRole();
  const token = vault.tokens.create({ policies: ['reader'], ttlSeconds: 600 });
  const backend = await connectBy({ method: 'token', token });
  await readOne(backend, 'a');
  clock.advance(540);
  await expect.poll(() => clock.waiting).toBe(1);
  expect(asked(vault, 'auth/token/renew-self')).toHaveLength(1);
  clock.advance(100);
  expect((await readOne(backend, 'a')).version).toBe('1');
});

test('a token the vault calls invalid is replaced by one login, however many meet it', async () => {
  const vaultClock = new TestClock();
  const { vault, kv, connect } = await benchWithRole({ tokenTtlSeconds: 600 }, { now: vaultClock.now });
  kv.seed(50, (index) => ({ path: `${index}`, data: { value: 'x' } }));
  const backend = await connect();
  await readOne(backend, 'a');
  vaultClock.advance(700);
  const found = await fetchAll(backend, kv.paths());
  expect([...found.values()].every((value) => value === '{"value":"x"}')).toBe(true);
  expect(vault.requests.counts.login).toBe(2);
});

test('a permission denied brings no login', async () => {
  const { vault, connect } = await benchWithRole();
  vault.policies.write('reader', { 'secret/metadata/*': ['list'] });
  const backend = await connect();
  const found = await fetchAll(backend, ['a', 'b', 'c']);
  expect([...found.values()]).toEqual(['vault_forbidden', 'vault_forbidden', 'vault_forbidden']);
  expect(vault.requests.counts.login).toBe(1);
});

test('a token that stays invalid ends as unauthenticated, after one more login', async () => {
  const { vault, connect } = await benchWithRole();
  vault.faults.inject({
    effect: { kind: 'status', status: 403, body: { errors: ['permission denied', 'invalid token'] } },
    path: 'secret/data/a',
  });
  const failure = await failureOf(readOne(await connect(), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', failureClass: 'unauthenticated' });
  expect(vault.requests.counts.login).toBe(2);
});

test('a given token that is invalid is unauthenticated at once, and nothing tells it', async () => {
  const { vault, connectBy } = await benchWithRole();
  const token = 'hvs.canary-token-value';
  const backend = await connectBy({ method: 'token', token });
  for (const failure of [await failureOf(backend.probe(patient)), await failureOf(readOne(backend, 'a'))]) {
    expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
    expect(JSON.stringify(failure) + failure.message + failure.stack).not.toContain('canary');
  }
  expect(asked(vault, 'secret/data/a')).toHaveLength(0);
});

test('refused credentials are remembered for a moment, so that not every secret asks again', async () => {
  const { vault, clock, connect } = await benchWithRole();
  const backend = await connect({ secret_id: 'wrong' });
  const found = await fetchAll(
    backend,
    Array.from({ length: 100 }, (_, index) => `${index}`),
  );
  expect(new Set(found.values())).toEqual(new Set(['vault_unauthenticated']));
  expect(vault.requests.counts.login).toBe(1);
  clock.advance(6);
  await failureOf(readOne(backend, 'a'));
  expect(vault.requests.counts.login).toBe(2);
});

test('a login that the vault is away for is no refusal', async () => {
  const { vault, connect } = await benchWithRole();
  vault.faults.inject({ effect: { kind: 'status', status: 503 }, path: 'auth/approle/login', times: 1 });
  const backend = await connect();
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unavailable' });
  expect((await readOne(backend, 'a')).version).toBe('1');
});

test('an auth method that is not mounted is said to be so', async () => {
  const { connect } = await benchWithRole();
  const failure = await failureOf(readOne(await connect({ mount_path: 'elsewhere' }), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
  expect(failure.message).toContain('auth/elsewhere');
});

test('a service account token is read again at each login', async () => {
  const { vault, clock, files, connectBy } = await benchWithRole();
  const jwt_path = '/run/token';
  vault.auth.enable('kubernetes', 'k8s');
  const at = { mount: 'k8s' };
  const role = (jwt: string) =>
    vault.auth.kubernetesRole(
      'pod',
      { policies: ['reader'], jwts: [jwt], tokenTtlSeconds: 60, tokenType: 'batch' },
      at,
    );
  const auth = { method: 'kubernetes', role: 'pod', mount_path: 'k8s' };
  const backend = await connectBy({ ...auth, jwt_path });

  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({
    code: 'reference_unresolved',
    message: expect.stringContaining(jwt_path),
  });
  clock.advance(61);
  role('e30.e30.first');
  files.set(jwt_path, 'e30.e30.first\n');
  await readOne(backend, 'a');
  clock.advance(61);
  role('e30.e30.second');
  files.set(jwt_path, 'e30.e30.second\n');
  await readOne(backend, 'a');
  clock.advance(61);
  role('e30.e30.third');
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_unauthenticated' });

  expect((await readOne(await connectBy({ ...auth, jwt: 'e30.e30.third' }), 'a')).version).toBe('1');
});

test('a file that holds no token is never sent', async () => {
  const { vault, files, connectBy } = await benchWithRole();
  const jwt_path = '/run/master.key';
  files.set(jwt_path, 'bm90IGEgdG9rZW4gYnV0IGEgbWFzdGVyIGtleQ==');
  const auth = { method: 'kubernetes', role: 'pod' };
  const failure = await failureOf(readOne(await connectBy({ ...auth, jwt_path }), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
  expect(vault.requests.total).toBe(0);
});

test('closing revokes what was logged in for, and not what was given', async () => {
  const { vault, connect, connectBy } = await benchWithRole();
  const token = vault.tokens.create({ policies: ['reader'] });
  const given = await connectBy({ method: 'token', token });
  const loggedIn = await connect();
  await readOne(given, 'a');
  await readOne(loggedIn, 'a');
  await given.close();
  expect(asked(vault, 'auth/token/revoke-self')).toHaveLength(0);
  await loggedIn.close();
  expect(asked(vault, 'auth/token/revoke-self')).toMatchObject([{ status: 204 }]);
});

test('an outage of the look-up is no verdict about a token', async () => {
  const { vault, clock, connectBy } = await benchWithRole();
  vault.policies.write('narrow', { 'secret/data/b': ['read'] });
  const backend = await connectBy({ method: 'token', token: vault.tokens.create({ policies: ['narrow'] }) });
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_forbidden' });
  clock.advance(61);
  const outage = vault.faults.inject({ effect: { kind: 'status', status: 503 }, path: 'auth/token/lookup-self' });
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: 'unavailable' });
  outage.remove();
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_forbidden' });
});

test('a token that was logged in for and is refused is revoked when it is replaced', async () => {
  const { vault, connect } = await benchWithRole();
  const backend = await connect();
  await readOne(backend, 'a');
  vault.faults.inject({
    effect: { kind: 'status', status: 403, body: { errors: ['permission denied', 'invalid token'] } },
    path: 'secret/data/a',
    times: 1,
  });
  expect((await readOne(backend, 'a')).version).toBe('1');
  await expect.poll(() => asked(vault, 'auth/token/revoke-self')).toMatchObject([{ status: 204 }]);
  expect((await readOne(backend, 'a')).version).toBe('1');
  await backend.close();
  expect(asked(vault, 'auth/token/revoke-self')).toMatchObject([{ status: 204 }, { status: 204 }]);
});

test('a vault that refuses every token is given one more in five seconds, however much is read', async () => {
  const { vault, clock, connect } = await benchWithRole();
  vault.faults.inject({
    effect: { kind: 'status', status: 403, body: { errors: ['permission denied', 'invalid token'] } },
    path: 'secret/data/*',
  });
  const backend = await connect();
  const paths = Array.from({ length: 40 }, (_, index) => `${index}`);
  for (const logins of [2, 3]) {
    const found = await fetchAll(backend, paths);
    expect(new Set(found.values())).toEqual(new Set(['vault_unauthenticated']));
    expect(vault.requests.counts.login).toBe(logins);
    clock.advance(6);
  }
});
