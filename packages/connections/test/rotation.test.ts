import { KeyferryError } from '@keyferry/core';
import { expect, test } from 'vitest';
import type { CredentialKeys } from '../src/index.ts';
import { backendOf, patient, startPool, startVault } from './harness.ts';

/** A key of the store whose value a test replaces. */
class TokenKey implements CredentialKeys {
  values: (string | null)[] = [];
  reads = 0;

  put(value: string) {
    this.values.push(value);
  }

  versions = async () => String(this.values.length);

  async read(path: string) {
    this.reads++;
    const [previous, current] = [this.values.at(-2), this.values.at(-1)];
    if (!current)
      throw new KeyferryError('credentials_withdrawn', `${path} is archived.`, { failureClass: 'unauthenticated' });
    return { backendId: 'other', value: Buffer.from(current), previous: previous ? Buffer.from(previous) : null };
  }
}

async function site() {
  const vault = await startVault();
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  vault.policies.write('reader', { 'secret/metadata/*': ['read', 'list'] });
  const token = () => vault.tokens.create({ policies: ['reader', 'default'] });
  const keys = new TokenKey();
  const backend = {
    ...backendOf(vault),
    keys,
    settings: () => ({ address: vault.url, credentials_path: 'team/token', auth: { method: 'token' } }),
  };
  const usedLast = () => vault.requests.all.at(-1)?.status;
  return { vault, token, keys, backend, usedLast };
}

test('new credentials are taken without a restart, and the former connection ends with its users', async () => {
  const { token, keys, backend, vault } = await site();
  const first = token();
  keys.put(first);
  const pool = startPool();
  const before = await pool.open(backend);
  expect(await before.confirm('a', patient)).toBe('present');
  keys.put(token());
  const after = await pool.open(backend);
  vault.tokens.revoke(first);
  expect(await after.confirm('a', patient)).toBe('present');
  expect(after.refusedCredentials).toBeNull();
  await expect(before.confirm('a', patient)).rejects.toMatchObject({ failureClass: 'unauthenticated' });
});

test('credentials that did not change are not read again, and cost no call', async () => {
  const { token, keys, backend, vault } = await site();
  keys.put(token());
  const pool = startPool();
  for (let use = 0; use < 3; use++) await (await pool.open(backend)).close();
  expect(keys.reads).toBe(1);
  expect(vault.requests.total).toBe(0);
});

test('new credentials that don’t work are told of while the former ones go on', async () => {
  const { token, keys, backend } = await site();
  keys.put(token());
  const pool = startPool();
  await (await pool.open(backend)).confirm('a', patient);
  keys.put('canary-not-a-token');
  const connection = await pool.open(backend);
  expect(await connection.confirm('a', patient)).toBe('present');
  expect(connection.refusedCredentials).toMatchObject({ code: 'credentials_refused' });
  expect(connection.refusedCredentials?.message).not.toContain('canary');

  keys.put(token());
  const mended = await pool.open(backend);
  expect(mended.refusedCredentials).toBeNull();
  expect(await mended.confirm('a', patient)).toBe('present');
});

test('credentials that are refused are not tried again before they change', async () => {
  const { token, keys, backend, vault } = await site();
  keys.put(token());
  const pool = startPool();
  await (await pool.open(backend)).confirm('a', patient);
  keys.put('not-a-token');
  await pool.open(backend);
  const asked = vault.requests.total;
  for (let use = 0; use < 3; use++) await pool.open(backend);
  expect(vault.requests.total).toBe(asked);
});

test('a process that has only seen the new ones goes back to the value before', async () => {
  const { token, keys, backend } = await site();
  keys.put(token());
  keys.put('not-a-token');
  const pool = startPool();
  const first = await pool.open(backend);
  await expect(first.confirm('a', patient)).rejects.toMatchObject({ failureClass: 'unauthenticated' });
  const second = await pool.open(backend);
  expect(await second.confirm('a', patient)).toBe('present');
  expect(second.refusedCredentials).toMatchObject({ code: 'credentials_refused' });
});

test('where neither works, the failure is that of the new ones', async () => {
  const { keys, backend } = await site();
  keys.put('not-a-token');
  const pool = startPool();
  const fails = { failureClass: 'unauthenticated' };
  await expect((await pool.open(backend)).confirm('a', patient)).rejects.toMatchObject(fails);
  keys.put('neither');
  const connection = await pool.open(backend);
  await expect(connection.confirm('a', patient)).rejects.toMatchObject(fails);
  expect(connection.refusedCredentials).toBeNull();
});

test('an outage says nothing of new credentials: they are tried again', async () => {
  const { token, keys, backend, vault } = await site();
  keys.put(token());
  const clock = { time: Date.now() };
  const pool = startPool({ attempts: 1 }, {}, [], [], { now: () => clock.time });
  await (await pool.open(backend)).confirm('a', patient);
  keys.put(token());
  vault.seal();
  expect((await pool.open(backend)).refusedCredentials).toBeNull();
  vault.unseal();
  clock.time += 60_000;
  const connection = await pool.open(backend);
  expect(await connection.confirm('a', patient)).toBe('present');
  expect(keys.reads).toBe(3);
});

test('credentials whose key is not served any more are not used any more, though the vault still takes them', async () => {
  const { token, keys, backend } = await site();
  keys.put(token());
  const pool = startPool();
  await (await pool.open(backend)).close();
  keys.values.push(null);
  for (let time = 0; time < 2; time++)
    await expect(pool.open(backend)).rejects.toMatchObject({ code: 'credentials_withdrawn' });
  keys.put(token());
  expect(await (await pool.open(backend)).confirm('a', patient)).toBe('present');
});

test('a process that knows nothing yet goes back to the value before where the newest can’t be read', async () => {
  const { token, keys, backend } = await site();
  keys.put(token());
  keys.put('{"tokn":"a typing error"}');
  const connection = await startPool().open(backend);
  expect(await connection.confirm('a', patient)).toBe('present');
  expect(connection.refusedCredentials).toMatchObject({ code: 'credentials_refused' });
});

test('a value from before makes room once the newest is taken by the vault after all', async () => {
  const { vault, token, keys, backend } = await site();
  keys.put(token());
  keys.put(token());
  const clock = { time: Date.now() };
  const pool = startPool({}, {}, [], [], { now: () => clock.time });
  const effect = { kind: 'status', status: 403, body: { errors: ['invalid token'] } } as const;
  // The newest is refused twice: when it is used, and when it is asked again.
  vault.faults.inject({ effect, path: 'auth/token/lookup-self', times: 2 });
  const first = await pool.open(backend);
  await expect(first.confirm('a', patient)).rejects.toMatchObject({ failureClass: 'unauthenticated' });
  expect((await pool.open(backend)).refusedCredentials).not.toBeNull();
  clock.time += 60_000;
  expect((await pool.open(backend)).refusedCredentials).toBeNull();
});

test('where new credentials can’t be read and the former don’t work, later ones are taken all the same', async () => {
  const { token, keys, backend, vault } = await site();
  const first = token();
  keys.put(first);
  const pool = startPool();
  await (await pool.open(backend)).close();
  vault.tokens.revoke(first);
  keys.put('{"tokn":"a typing error"}');
  await expect(pool.open(backend)).rejects.toMatchObject({ code: 'config_invalid' });
  keys.put(token());
  expect(await (await pool.open(backend)).confirm('a', patient)).toBe('present');
});

test('an outage while the former are asked says nothing against them', async () => {
  const { token, keys, backend, vault } = await site();
  keys.put(token());
  const clock = { time: Date.now() };
  const pool = startPool({ attempts: 1 }, {}, [], [], { now: () => clock.time });
  await (await pool.open(backend)).close();
  keys.put('not-a-token');
  // The new ones are refused; then the vault goes away.
  vault.faults.inject({ effect: { kind: 'status', status: 503 }, skip: 2 });
  expect(await (await pool.open(backend)).refusedCredentials).toBeNull();
  vault.faults.clear();
  clock.time += 60_000;
  const connection = await pool.open(backend);
  expect(connection.refusedCredentials).toMatchObject({ code: 'credentials_refused' });
  expect(await connection.confirm('a', patient)).toBe('present');
});

test('credentials that the vault takes only later are tried again after a while', async () => {
  const { token, keys, backend, vault } = await site();
  keys.put(token());
  const clock = { time: Date.now() };
  const pool = startPool({}, {}, [], [], { now: () => clock.time });
  await (await pool.open(backend)).close();
  const late = token();
  const lookup = vault.faults.inject({
    effect: { kind: 'status', status: 403, body: { errors: ['invalid token'] } },
    path: 'auth/token/lookup-self',
    times: 1,
  });
  keys.put(late);
  expect((await pool.open(backend)).refusedCredentials).not.toBeNull();
  lookup.remove();
  expect((await pool.open(backend)).refusedCredentials).not.toBeNull();
  clock.time += 60_000;
  expect((await pool.open(backend)).refusedCredentials).toBeNull();
});

test('a connection is not closed for idleness while its successor is tried', async () => {
  const { token, keys, backend, vault } = await site();
  keys.put(token());
  vault.setLatency(30);
  const pool = startPool({ idleMs: 40 });
  await (await pool.open(backend)).close();
  keys.put('not-a-token');
  const connection = await pool.open(backend);
  expect(await connection.confirm('a', patient)).toBe('present');
  expect(connection.refusedCredentials).not.toBeNull();
});

test('whoever opens can give up while new credentials are tried', async () => {
  const { token, keys, backend, vault } = await site();
  keys.put(token());
  const pool = startPool();
  await (await pool.open(backend)).close();
  keys.put(token());
  const hang = vault.faults.inject({ effect: { kind: 'hang' } });
  const controller = new AbortController();
  const opening = pool.open(backend, controller.signal);
  opening.catch(() => {});
  await expect.poll(() => hang.hits).toBeGreaterThan(0);
  controller.abort(new Error('enough'));
  await expect(opening).rejects.toThrow('enough');
});

test('many who open at the same time try new credentials once', async () => {
  const { token, keys, backend, vault } = await site();
  keys.put(token());
  const pool = startPool();
  await (await pool.open(backend)).confirm('a', patient);
  keys.put(token());
  await Promise.all(Array.from({ length: 20 }, () => pool.open(backend)));
  expect(keys.reads).toBe(2);
  expect(vault.requests.all.filter(({ path }) => path === 'sys/health')).toHaveLength(1);
});
