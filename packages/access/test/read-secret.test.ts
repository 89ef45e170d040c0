import { startAwsEmulator } from '@keyferry/emulators';
import { type House, openHouse } from '@keyferry/testing/support/house.ts';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { disposable, readsOf, type TestReader, testReader } from './harness.ts';

const canary = 'canary-7f31-value';
const away = { kind: 'status', status: 503 } as const;

let house: House;
let reader: TestReader;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

beforeEach(() => {
  reader = testReader(house);
});
afterEach(async () => {
  await reader.close();
  await house.clear();
  house.vault.mounts.disable('secret');
  house.vault.mounts.enable('secret', { type: 'kv', version: 2 });
});

const put = (path: string, value: string) => house.vault.kv('secret').put(path, { value });
const read = (path: string) => reader.read(house.tenantId, path);

describe('a synced secret', () => {
  test('is answered from the store, and then from memory, with no call to its vault', async () => {
    put('bifrost/a', 'one');
    await house.cycle(await house.addBackend());
    house.vault.requests.reset();
    expect(await reader.text('bifrost/a')).toBe('one');
    const { secret } = await read('bifrost/a');
    expect(secret).toMatchObject({ source: 'store', version: 1, remoteVersion: '1', state: 'active', type: 'opaque' });
    expect((await read('bifrost/a')).secret).toBe(secret);
    expect(readsOf(house)).toEqual([]);
  });

  test('that a cycle changed is answered anew once what was kept is two seconds old', async () => {
    put('bifrost/a', 'one');
    const backend = await house.addBackend();
    await house.cycle(backend);
    expect(await reader.text('bifrost/a')).toBe('one');
    put('bifrost/a', 'two');
    await house.cycle(backend);
    expect(await reader.text('bifrost/a')).toBe('one');
    house.clock.advance(2);
    expect(await reader.text('bifrost/a')).toBe('two');
  });

  test('ends at its moment, also where it is in memory and no sweep has come by', async () => {
    put('bifrost/a', 'one');
    await house.cycle(await house.addBackend());
    const expires_at = new Date(house.clock.now().getTime() + 1000);
    await house.read((tx) => tx.updateTable('keys').set({ expires_at }).execute());
    expect(await reader.text('bifrost/a')).toBe('one');
    house.clock.advance(1);
    expect(await reader.refusal('bifrost/a')).toBe('key_not_served');
    expect(await house.states()).toEqual({ 'bifrost/a': 'active' });
  });

  test('that moved its end without another change is seen to have within half a minute', async () => {
    put('bifrost/a', 'one');
    await house.cycle(await house.addBackend());
    expect(await reader.text('bifrost/a')).toBe('one');
    await house.read((tx) => tx.updateTable('keys').set({ expires_at: house.clock.now() }).execute());
    house.clock.advance(30);
    expect(await reader.refusal('bifrost/a')).toBe('key_not_served');
  });

  test('has its version before for as long as the overlap says, and no version that is not kept', async () => {
    put('bifrost/a', 'one');
    const backend = await house.addBackend({ rotation_overlap_seconds: 60 });
    await house.cycle(backend);
    put('bifrost/a', 'two');
    await house.cycle(backend);
    const { secret } = await reader.read(house.tenantId, 'bifrost/a', { version: 1 });
    expect([secret.value.reveal().toString(), secret.version, secret.remoteVersion]).toEqual([
      '{"value":"one"}',
      1,
      '1',
    ]);
    expect(await reader.refusal('bifrost/a', 2)).toBe('none');
    expect(await reader.refusal('bifrost/a', 3)).toBe('version_gone');
    house.clock.advance(60);
    expect(await reader.refusal('bifrost/a', 1)).toBe('version_unreadable');
  });

  test('is read in the vault while settings that it needs are not carried out, and not kept until they are', async () => {
    put('bifrost/a', 'one');
    const backend = await house.addBackend({ cache_ttl_seconds: 3600 });
    house.vault.requests.reset();
    expect(await read('bifrost/a')).toMatchObject({ secret: { source: 'vault' } });
    await reader.text('bifrost/a');
    expect(readsOf(house)).toHaveLength(2);
    await house.cycle(backend);
    await reader.check(house.tenantId);
    expect(await read('bifrost/a')).toMatchObject({ secret: { source: 'store' } });
  });

  test('is answered until its cycle drops it, also where two other backends would have its path by now', async () => {
    put('bifrost/a', 'one');
    const backend = await house.addBackend();
    await house.cycle(backend);
    await house.change(backend, { sync_paths: ['elsewhere/*'] });
    await house.addBackend();
    await house.addBackend();
    expect(await reader.text('bifrost/a')).toBe('one');
    expect(await reader.refusal('bifrost/b')).toBe('path_contested');
  });

  test('that Postgres does not come up with is waited for no longer than a few seconds', async () => {
    put('bifrost/a', 'one');
    await house.cycle(await house.addBackend());
    expect(await reader.text('bifrost/a')).toBe('one');
    house.clock.advance(30);
    const { promise: done, resolve: letGo } = Promise.withResolvers<void>();
    const { promise: locked, resolve: isLocked } = Promise.withResolvers<void>();
    const locking = asAdmin(house.database.ownerUrl, async (client) => {
      await client.query('BEGIN; LOCK TABLE keyferry.keys IN ACCESS EXCLUSIVE MODE');
      isLocked();
      await done;
      await client.query('ROLLBACK');
    });
    await locked;
    try {
      expect(await reader.text('bifrost/a')).toBe('one (stale)');
      expect(await reader.refusal('bifrost/b')).toBe('database_unavailable');
    } finally {
      letGo();
      await locking;
    }
    expect(await reader.text('bifrost/a')).toBe('one');
  }, 30_000);

  test('is found as soon as its backend is registered', async () => {
    const reader = testReader(house);
    expect(await reader.refusal('new/a')).toBe('path_unmapped');
    house.vault.kv('secret').put('new/a', { value: 'there' });
    await house.addBackend({ mode: 'proxy', sync_paths: ['new/*'] });
    expect(await reader.text('new/a')).toBe('there');
  });

  test('that does not exist is refused by its name', async () => {
    await house.cycle(await house.addBackend());
    await expect(reader.text('bifrost/none')).rejects.toThrow('There is no key "bifrost/none".');
    expect(await reader.refusal('elsewhere/none')).toBe('path_unmapped');
    await house.addBackend();
    await reader.check(house.tenantId);
    expect(await reader.refusal('bifrost/none')).toBe('path_contested');
  });
});

describe('a proxied secret', () => {
  test('costs exactly one call a read, and leaves nothing in Postgres', async () => {
    put('bifrost/a', canary);
    await house.addBackend({ mode: 'proxy' });
    expect(await reader.text('bifrost/a')).toBe(canary);
    house.vault.requests.reset();
    expect(await reader.text('bifrost/a')).toBe(canary);
    expect(house.vault.requests.total).toBe(1);
    expect(await house.keys()).toEqual([]);
  });

  test('that fifty ask for at a time costs one call', async () => {
    put('bifrost/a', 'one');
    await house.addBackend({ mode: 'proxy' });
    await reader.text('bifrost/a');
    house.vault.requests.reset();
    const texts = await Promise.all(Array.from({ length: 50 }, () => reader.text('bifrost/a')));
    expect(new Set(texts)).toEqual(new Set(['one']));
    expect(house.vault.requests.total).toBe(1);
  });

  test('is answered again for its cache_ttl, by path, and then asked for anew', async () => {
    put('bifrost/a', 'one');
    put('bifrost/b', 'one');
    const cache_rules = [{ paths: ['bifrost/b'], ttl_seconds: 0 }];
    await house.addBackend({ mode: 'proxy', cache_ttl_seconds: 60, cache_rules });
    for (const path of ['bifrost/a', 'bifrost/b']) {
      await reader.text(path);
      put(path, 'two');
    }
    expect([await reader.text('bifrost/a'), await reader.text('bifrost/b')]).toEqual(['one', 'two']);
    house.clock.advance(59);
    expect(await read('bifrost/a')).toMatchObject({ age: 59, stale: false });
    house.clock.advance(1);
    expect(await reader.text('bifrost/a')).toBe('two');
  });

  test.each([
    ['throttles', { kind: 'status', status: 429 }],
    ['is away', away],
    ['cuts the connection', { kind: 'reset' }],
  ] as const)('is answered as stale while its vault %s, for as long as max_stale says', async (_what, effect) => {
    put('bifrost/a', 'one');
    await house.addBackend({ mode: 'proxy', max_stale_seconds: 60 });
    await reader.text('bifrost/a');
    using fault = disposable(house.vault.faults.inject({ effect, path: '*/data/*' }));
    expect(await reader.text('bifrost/a')).toBe('one (stale)');
    house.clock.advance(60);
    expect(await reader.text('bifrost/a')).toBe('one (stale)');
    house.clock.advance(1);
    expect(await reader.refusal('bifrost/a')).toMatch(/^vault_(throttled|unavailable|suspended)$/);
    expect(fault.hits).toBeGreaterThan(0);
  });

  test('is answered as stale where logging in fails, but not where the credentials are withdrawn', async () => {
    put('through/a', 'one');
    const token = house.vault.tokens.create({ policies: ['root'] });
    put('bifrost/token', token);
    await house.cycle(await house.addBackend());
    await house.addBackend({
      mode: 'proxy',
      sync_paths: ['through/*'],
      auth: { method: 'token', token: 'vault.bifrost/token' },
      credential_paths: ['bifrost/token'],
    });
    expect(await reader.text('through/a')).toBe('one');
    house.vault.tokens.revoke(token);
    expect(await reader.text('through/a')).toBe('one (stale)');
    await house.read((tx) => tx.updateTable('keys').set({ expires_at: house.clock.now() }).execute());
    expect(await reader.refusal('through/a')).toBe('credentials_withdrawn');
  });

  test('is never answered as stale where the vault says no: it is gone, deleted or forbidden', async () => {
    await house.addBackend({ mode: 'proxy' });
    const kv = house.vault.kv('secret');
    for (const path of ['bifrost/gone', 'bifrost/deleted', 'bifrost/forbidden']) {
      put(path, 'one');
      await reader.text(path);
    }
    kv.deleteMetadata('bifrost/gone');
    kv.delete('bifrost/deleted');
    using _fault = disposable(
      house.vault.faults.inject({ effect: { kind: 'status', status: 403 }, path: '*forbidden' }),
    );
    expect(await reader.refusal('bifrost/gone')).toBe('key_not_found');
    expect(await reader.refusal('bifrost/deleted')).toBe('key_not_found');
    expect(await reader.refusal('bifrost/forbidden')).toBe('vault_forbidden');
    // Nor afterwards, when it is only away.
    using _away = disposable(house.vault.faults.inject({ effect: away }));
    expect(await reader.refusal('bifrost/forbidden')).toMatch(/^vault_/);
  });

  test('is never answered as stale where max_stale is 0, not even in the moment in which it was read', async () => {
    put('bifrost/a', 'one');
    await house.addBackend({ mode: 'proxy', max_stale_seconds: 0 });
    await reader.text('bifrost/a');
    using _fault = disposable(house.vault.faults.inject({ effect: away, path: '*/data/*' }));
    expect(await reader.refusal('bifrost/a')).toMatch(/^vault_/);
  });

  test('is kept no longer because the clock was set back', async () => {
    put('bifrost/a', 'one');
    await house.addBackend({ mode: 'proxy', cache_ttl_seconds: 60, max_stale_seconds: 60 });
    await reader.text('bifrost/a');
    put('bifrost/a', 'two');
    house.clock.advance(-3600);
    expect(await reader.text('bifrost/a')).toBe('two');
    house.clock.advance(-3600);
    using _fault = disposable(house.vault.faults.inject({ effect: away, path: '*/data/*' }));
    expect(await reader.refusal('bifrost/a')).toMatch(/^vault_/);
  });

  test('that has ended is looked at again at once: by now it may be another', async () => {
    const kv = house.vault.kv('secret');
    const ends = new Date(house.clock.now().getTime() + 10_000).toISOString();
    kv.put('bifrost/a', { value: 'one' }, { customMetadata: { expires_at: ends } });
    await house.addBackend({ mode: 'proxy', cache_ttl_seconds: 3600 });
    expect(await reader.text('bifrost/a')).toBe('one');
    house.clock.advance(10);
    expect(await reader.refusal('bifrost/a')).toBe('key_not_served');
    kv.put('bifrost/a', { value: 'two' }, { customMetadata: {} });
    expect(await reader.text('bifrost/a')).toBe('two');
  });

  test('that was revoked while it was stored stays revoked', async () => {
    put('bifrost/a', 'one');
    const backend = await house.addBackend();
    await house.cycle(backend);
    await house.read((tx) => tx.updateTable('keys').set({ revoked: true, state: 'archived' }).execute());
    await house.change(backend, { mode: 'proxy' });
    expect(await reader.refusal('bifrost/a')).toBe('key_not_served');
    await house.read((tx) => tx.updateTable('keys').set({ revoked: false }).execute());
    expect(await reader.text('bifrost/a')).toBe('one');
  });

  test('whose name has a slash in front is read below its folder, as it is listed', async () => {
    await using stack = new AsyncDisposableStack();
    const aws = await startAwsEmulator({ now: () => house.clock.now().getTime() });
    stack.defer(() => aws.close());
    const { accessKeyId, secretAccessKey } = aws.operator;
    await house.addBackend({
      kind: 'aws',
      mode: 'proxy',
      config: { region: aws.region, endpoint: aws.url, sts_endpoint: aws.url },
      auth: { method: 'static', access_key_id: accessKeyId, secret_access_key: secretAccessKey },
      cache_ttl_seconds: 60,
      cache_rules: [{ paths: ['bifrost/plain'], ttl_seconds: 0 }],
    });
    aws.secrets.put('/bifrost/a', 'one');
    aws.secrets.put('bifrost/plain', 'two');
    const request = { prefix: '', after: null, limit: 10, sees: () => true };
    expect((await reader.list(house.tenantId, request)).names.map(({ path }) => path)).toEqual([
      'bifrost/a',
      'bifrost/plain',
    ]);
    expect([await reader.text('bifrost/a'), await reader.text('bifrost/plain')]).toEqual(['one', 'two']);
    expect(await reader.refusal('bifrost/none')).toBe('key_not_found');
    await reader.checkHeld();
    aws.secrets.put('/bifrost/a', 'three');
    expect(await reader.text('bifrost/a')).toBe('one');
    await reader.checkHeld();
    expect(await reader.text('bifrost/a')).toBe('three');
  });

  test('has no versions', async () => {
    put('bifrost/a', 'one');
    await house.addBackend({ mode: 'proxy' });
    await expect(reader.read(house.tenantId, 'bifrost/a', { version: 1 })).rejects.toMatchObject({
      code: 'request_invalid',
      message: '"bifrost/a" is read in its vault, of which there is only the current version.',
    });
  });

  test('that was synced is asked for in its vault as soon as its settings say so, and not what is stored', async () => {
    put('bifrost/a', 'one');
    const backend = await house.addBackend();
    await house.cycle(backend);
    expect(await reader.text('bifrost/a')).toBe('one');
    put('bifrost/a', 'two');
    await house.change(backend, { mode: 'proxy' });
    await reader.check(house.tenantId);
    expect(await reader.text('bifrost/a')).toBe('two');
  });
});
