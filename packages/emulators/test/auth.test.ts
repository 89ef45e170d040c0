import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startVaultEmulator, type VaultEmulator } from '../src/index.ts';
import { ask, manualClock } from './client.ts';

const clock = manualClock();
let emulator: VaultEmulator;

beforeEach(async () => {
  emulator = await startVaultEmulator({ now: clock.now });
});

afterEach(() => emulator.close());

describe('AppRole', () => {
  let roleId: string;

  beforeEach(() => {
    emulator.auth.enable('approle');
    roleId = emulator.auth.appRole('worker', { policies: ['reader'], tokenTtlSeconds: 600, tokenMaxTtlSeconds: 900 });
  });

  const login = (body: object, mount = 'approle') => ask(emulator, `auth/${mount}/login`, { token: '', body });

  test('a login gives a token of the role', async () => {
    const { status, body } = await login({ role_id: roleId, secret_id: emulator.auth.secretId('worker') });
    expect(status).toBe(200);
    expect(body.auth).toMatchObject({ lease_duration: 600, renewable: true, policies: ['default', 'reader'] });
    const token = body.auth.client_token;
    expect((await ask(emulator, 'auth/token/lookup-self', { token })).body.data.path).toBe('auth/approle/login');
  });

  test('wrong, spent and expired credentials are one and the same refusal', async () => {
    const once = emulator.auth.secretId('worker', { numUses: 1 });
    const short = emulator.auth.secretId('worker', { ttlSeconds: 10 });
    expect((await login({ role_id: roleId, secret_id: once })).status).toBe(200);
    clock.advance(10);
    const attempts = [
      { role_id: roleId, secret_id: 'wrong' },
      { role_id: 'wrong', secret_id: once },
      { role_id: roleId, secret_id: once },
      { role_id: roleId, secret_id: short },
    ];
    for (const attempt of attempts) {
      const { status, body } = await login(attempt);
      expect([status, body]).toEqual([400, { errors: ['invalid role or secret ID'] }]);
    }
    expect((await login({ role_id: roleId })).body.errors).toEqual(['missing secret_id']);
  });

  test('without a mount there, it is a path like any other', async () => {
    expect((await login({ role_id: roleId }, 'elsewhere')).status).toBe(403);
    const known = await ask(emulator, 'auth/elsewhere/login', { body: {} });
    expect(known.body.errors).toEqual(['no handler for route "auth/elsewhere/login". route entry not found.']);
  });

  test('a wrapped secret id is had once, by its token as header and no body', async () => {
    const wrapped = emulator.auth.secretId('worker', { wrapTtlSeconds: 60 });
    const unwrap = () => ask(emulator, 'sys/wrapping/unwrap', { token: wrapped, method: 'POST' });
    const { data } = (await unwrap()).body;
    expect((await login({ role_id: roleId, secret_id: data.secret_id })).status).toBe(200);
    const again = await unwrap();
    expect([again.status, again.body.errors]).toEqual([400, ['wrapping token is not valid or does not exist']]);
  });

  test('a wrapping token sent as header and in the body at once is burnt', async () => {
    const wrapped = emulator.auth.secretId('worker', { wrapTtlSeconds: 60 });
    const both = await ask(emulator, 'sys/wrapping/unwrap', { token: wrapped, body: { token: wrapped } });
    expect(both.status).toBe(400);
    const after = await ask(emulator, 'sys/wrapping/unwrap', { token: wrapped, method: 'POST' });
    expect(after.status).toBe(400);
  });

  test('a wrapping token runs out, and opens nothing else', async () => {
    const wrapped = emulator.auth.secretId('worker', { wrapTtlSeconds: 60 });
    expect((await ask(emulator, 'auth/token/lookup-self', { token: wrapped })).status).toBe(403);
    const late = emulator.auth.secretId('worker', { wrapTtlSeconds: 60 });
    clock.advance(60);
    expect((await ask(emulator, 'sys/wrapping/unwrap', { token: late, method: 'POST' })).status).toBe(400);
  });
});

test('any answer can be wrapped, and unwrapped with a token of one’s own', async () => {
  emulator.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'one' });
  const headers = { 'x-vault-wrap-ttl': '1m' };
  const wrapped = await ask(emulator, 'secret/data/a', { headers });
  expect(wrapped.body.wrap_info).toMatchObject({ ttl: 60, creation_path: 'secret/data/a' });
  expect(wrapped.body.data).toBeNull();
  const opened = await ask(emulator, 'sys/wrapping/unwrap', { body: { token: wrapped.body.wrap_info.token } });
  expect(opened.body.data.data).toEqual({ value: 'one' });
  expect((await ask(emulator, 'sys/wrapping/wrap', { body: { a: 1 } })).status).toBe(400);
  expect((await ask(emulator, 'sys/wrapping/wrap', { body: { a: 1 }, headers })).body.wrap_info.ttl).toBe(60);
});

test('Kubernetes lets in the service accounts that its role knows', async () => {
  emulator.auth.enable('kubernetes', 'cluster/k8s');
  emulator.auth.kubernetesRole(
    'worker',
    { policies: [], jwts: ['good'], tokenTtlSeconds: 60 },
    { mount: 'cluster/k8s' },
  );
  const login = (body: object) => ask(emulator, 'auth/cluster/k8s/login', { token: '', body });
  expect((await login({ role: 'worker', jwt: 'good' })).body.auth.lease_duration).toBe(60);
  const wrong = await login({ role: 'worker', jwt: 'bad' });
  expect([wrong.status, wrong.body]).toEqual([403, { errors: ['permission denied'] }]);
  expect((await login({ role: 'other', jwt: 'good' })).body).toEqual({ errors: ['invalid role name "other"'] });
});
