import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type KvHandle, startVaultEmulator, type VaultEmulator } from '../src/index.ts';
import { ask, askRaw, manualClock } from './client.ts';

const clock = manualClock();
let emulator: VaultEmulator;
let kv: KvHandle;

beforeEach(async () => {
  emulator = await startVaultEmulator({ now: clock.now });
  kv = emulator.mounts.enable('secret', { type: 'kv', version: 2 });
});

afterEach(() => emulator.close());

describe('reading and writing', () => {
  test('an answer has the whole envelope', async () => {
    kv.put('app/key', { value: 'one' });
    const { status, body } = await ask(emulator, 'secret/data/app/key');
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual([
      ...['request_id', 'lease_id', 'renewable', 'lease_duration', 'data', 'wrap_info', 'warnings', 'auth'],
      'mount_type',
    ]);
    expect(body.data.data).toEqual({ value: 'one' });
    expect(body.data.metadata).toMatchObject({
      version: 1,
      deletion_time: '',
      destroyed: false,
      custom_metadata: null,
    });
    expect(Date.parse(body.data.metadata.created_time)).toBe(clock.now());
  });

  test('members are sorted, and numbers keep every digit the client wrote', async () => {
    const data = '{"zeta":12345678901234567890,"alpha":1.50,"__proto__":1e400,"10":-0,"9":"<&>"}';
    await ask(emulator, 'secret/data/app/key', { body: `{"data":${data}}` });
    const { text } = await ask(emulator, 'secret/data/app/key');
    const sorted = '{"10":-0,"9":"\\u003c\\u0026\\u003e","__proto__":1e400,"alpha":1.50,"zeta":12345678901234567890}';
    expect(text).toContain(`"data":{"data":${sorted},`);
    expect(kv.get('app/key')?.data).toBe(sorted);
  });

  test('what is missing is a 404 that says nothing', async () => {
    kv.put('app/key', {});
    for (const path of ['data/none', 'metadata/none', 'data/app/key?version=2', 'metadata/none?list=true']) {
      const { status, body } = await ask(emulator, `secret/${path}`);
      expect([path, status, body]).toEqual([path, 404, { errors: [] }]);
    }
  });

  test('a path of version 1 is a 404 with a warning and without errors', async () => {
    const { status, body } = await ask(emulator, 'secret/app/key');
    expect(status).toBe(404);
    expect(body.errors).toBeUndefined();
    expect(body.warnings[0]).toContain("use 'vault kv get'");
  });

  test('names with spaces, percent, hash, unicode and 512 characters come back as written', async () => {
    const names = ['a b', '50%', 'c#d', 'ключ-鍵-🔑', '%2F', 'x'.repeat(512), 'a..b', '?', "it's"];
    for (const name of names) {
      const written = await ask(emulator, `secret/data/odd/${encodeURIComponent(name)}`, { body: { data: { name } } });
      expect(written.status).toBe(200);
      const { body } = await ask(emulator, `secret/data/odd/${encodeURIComponent(name)}`);
      expect(body.data.data).toEqual({ name });
    }
    const { body } = await ask(emulator, 'secret/metadata/odd?list=1');
    expect(new Set(body.data.keys)).toEqual(new Set(names));
  });

  test('dot segments and doubled slashes are redirected to the clean path, encoded ones refused', async () => {
    const redirected = await askRaw(emulator, '/v1/secret/data/a/../b?version=1');
    expect([redirected.status, redirected.message.headers.location]).toEqual([301, '/v1/secret/data/b?version=1']);
    expect((await askRaw(emulator, '/v1/secret//data/b')).message.headers.location).toBe('/v1/secret/data/b');
    expect((await askRaw(emulator, '/v1/secret/data/a/%2e%2e/b')).status).toBe(400);
  });

  test('a write that the server would refuse is refused', async () => {
    const refuse = async (path: string, body: unknown) => {
      const reply = await ask(emulator, path, { body });
      return [reply.status, reply.body.errors[0]];
    };
    expect(await refuse('secret/data/app', { value: 'x' })).toEqual([400, 'no data provided']);
    expect(await refuse('secret/data/app/', { data: {} })).toEqual([400, "cannot write to a path ending in '/'"]);
    expect((await refuse('secret/data/app.', { data: {} }))[0]).toBe(400);
    expect((await refuse('secret/data/app', '{"data":'))[1]).toMatch(/^failed to parse JSON input/);
    const large = { data: { value: 'x'.repeat(1024 * 1024) } };
    expect((await refuse('secret/data/app', large))[1]).toContain('put failed due to value being too large');
    expect(kv.paths()).toEqual([]);
  });

  test('a patch merges, and needs its content type', async () => {
    kv.put('app', { a: 1, b: { c: 2, d: 3 } });
    const patch = { method: 'PATCH', body: { data: { a: null, b: { c: 5 } } } };
    expect((await ask(emulator, 'secret/data/app', patch)).status).toBe(415);
    const headers = { 'content-type': 'application/merge-patch+json' };
    expect((await ask(emulator, 'secret/data/app', { ...patch, headers })).status).toBe(200);
    expect(kv.get('app')).toMatchObject({ version: 2, data: '{"b":{"c":5,"d":3}}' });
    expect((await ask(emulator, 'secret/data/none', { ...patch, headers })).status).toBe(404);
  });
});

describe('check-and-set', () => {
  test('zero creates only, another number must be the current version', async () => {
    const write = (cas: unknown) => ask(emulator, 'secret/data/app', { body: { data: {}, options: { cas } } });
    expect((await write(0)).body.data.version).toBe(1);
    const refused = await write(0);
    expect(refused.status).toBe(400);
    expect(refused.body.errors).toEqual(['check-and-set parameter did not match the current version']);
    expect((await write(1)).body.data.version).toBe(2);
    expect((await write('x')).body.errors).toEqual(['error parsing check-and-set parameter']);
  });

  test('a version that was deleted or destroyed counts, until its metadata are removed', async () => {
    const write = (cas: number) => ask(emulator, 'secret/data/app', { body: { data: {}, options: { cas } } });
    kv.put('app', {});
    kv.delete('app');
    expect((await write(0)).status).toBe(400);
    expect((await write(1)).body.data.version).toBe(2);
    kv.destroy('app');
    expect((await write(0)).status).toBe(400);
    kv.deleteMetadata('app');
    expect((await write(0)).body.data.version).toBe(1);
  });

  test('it can be required by the mount or by the secret', async () => {
    await ask(emulator, 'secret/metadata/app', { body: { cas_required: true } });
    const required = ['check-and-set parameter required for this call'];
    expect((await ask(emulator, 'secret/data/app', { body: { data: {} } })).body.errors).toEqual(required);
    expect((await ask(emulator, 'secret/config', { body: { cas_required: true } })).status).toBe(204);
    expect((await ask(emulator, 'secret/data/other', { body: { data: {} } })).body.errors).toEqual(required);
  });
});

describe('deletion', () => {
  test('a soft-deleted secret is listed, and reads as a 404 with metadata', async () => {
    kv.put('app/key', { value: 'one' });
    expect((await ask(emulator, 'secret/data/app/key', { method: 'DELETE' })).status).toBe(204);
    const { status, body } = await ask(emulator, 'secret/data/app/key');
    expect(status).toBe(404);
    expect(body.errors).toBeUndefined();
    expect(body.data.data).toBeNull();
    expect(body.data.metadata).toMatchObject({ version: 1, destroyed: false });
    expect(body.data.metadata.deletion_time).not.toBe('');
    expect((await ask(emulator, 'secret/metadata/app?list=true')).body.data.keys).toEqual(['key']);
  });

  test('undelete brings it back, destroy never does', async () => {
    kv.put('app', { value: 'one' });
    kv.delete('app');
    await ask(emulator, 'secret/undelete/app', { body: { versions: [1] } });
    expect((await ask(emulator, 'secret/data/app')).body.data.data).toEqual({ value: 'one' });
    await ask(emulator, 'secret/destroy/app', { body: { versions: [1] } });
    await ask(emulator, 'secret/undelete/app', { body: { versions: [1] } });
    const { status, body } = await ask(emulator, 'secret/data/app');
    expect([status, body.data.data, body.data.metadata.destroyed]).toEqual([404, null, true]);
    expect((await ask(emulator, 'secret/destroy/app', { body: {} })).body.errors).toEqual([
      'no version number provided',
    ]);
  });

  test('older versions stay readable after the newest is deleted', async () => {
    kv.put('app', { value: 'one' });
    kv.put('app', { value: 'two' });
    kv.delete('app');
    expect((await ask(emulator, 'secret/data/app?version=1')).body.data.data).toEqual({ value: 'one' });
    expect((await ask(emulator, 'secret/data/app')).status).toBe(404);
  });

  test('removing the metadata removes the secret and its empty folders', async () => {
    kv.put('a/b/c', {});
    kv.put('a/d', {});
    await ask(emulator, 'secret/metadata/a/b/c', { method: 'DELETE' });
    expect((await ask(emulator, 'secret/metadata/a?list=true')).body.data.keys).toEqual(['d']);
    expect((await ask(emulator, 'secret/data/a/b/c')).body).toEqual({ errors: [] });
  });

  test('delete_version_after sets a time in the future, and then the version is deleted', async () => {
    await ask(emulator, 'secret/metadata/app', { body: { delete_version_after: '90d' } });
    await ask(emulator, 'secret/data/app', { body: { data: { value: 'one' } } });
    const before = await ask(emulator, 'secret/data/app');
    expect(before.status).toBe(200);
    expect(Date.parse(before.body.data.metadata.deletion_time)).toBe(clock.now() + 90 * 86_400_000);
    expect((await ask(emulator, 'secret/metadata/app')).body.data.delete_version_after).toBe('2160h0m0s');
    clock.advance(90 * 86_400);
    expect((await ask(emulator, 'secret/data/app')).status).toBe(404);
  });
});

describe('metadata', () => {
  test('it tells of every version that is kept, ten unless told otherwise', async () => {
    for (let number = 1; number <= 12; number++) kv.put('app', { number });
    const { data } = (await ask(emulator, 'secret/metadata/app')).body;
    expect(data).toMatchObject({ current_version: 12, oldest_version: 3, max_versions: 0, cas_required: false });
    expect(Object.keys(data.versions)).toHaveLength(10);
    expect((await ask(emulator, 'secret/data/app?version=2')).body).toEqual({ errors: [] });
    await ask(emulator, 'secret/config', { body: { max_versions: 20 } });
    for (let number = 13; number <= 15; number++) kv.put('app', { number });
    expect((await ask(emulator, 'secret/metadata/app')).body.data.oldest_version).toBe(3);
  });

  test('custom metadata comes with every read, and has limits', async () => {
    const write = (custom: object) => ask(emulator, 'secret/metadata/app', { body: { custom_metadata: custom } });
    kv.put('app', {});
    expect((await write({ owner: 'team' })).status).toBe(204);
    expect((await ask(emulator, 'secret/data/app')).body.data.metadata.custom_metadata).toEqual({ owner: 'team' });
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, 'v']));
    for (const custom of [many, { ['k'.repeat(129)]: 'v' }, { k: 'v'.repeat(513) }, { k: '' }, { k: 'a\nb' }]) {
      const { status, body } = await write(custom);
      expect(status).toBe(400);
      expect(body.errors[0]).toContain('custom_metadata validation failed');
    }
  });

  test('a secret with metadata and no version reads as missing', async () => {
    await ask(emulator, 'secret/metadata/app', { body: { max_versions: 5 } });
    expect((await ask(emulator, 'secret/data/app')).body).toEqual({ errors: [] });
    expect((await ask(emulator, 'secret/metadata/app')).body.data).toMatchObject({ current_version: 0, versions: {} });
  });

  test('a name can be a secret and a folder, and listings are sorted by bytes', async () => {
    for (const path of ['b', 'b/x', 'Z', 'a', 'é', '🔑', '！']) kv.put(path, {});
    const { body } = await ask(emulator, 'secret/metadata/?list=true');
    expect(body.data.keys).toEqual(['Z', 'a', 'b', 'b/', 'é', '！', '🔑']);
  });

  test('Vault knows no pages, no scan and no detailed metadata', async () => {
    for (const path of ['a', 'b', 'c']) kv.put(path, {});
    expect((await ask(emulator, 'secret/metadata/?list=true&limit=1')).body.data.keys).toEqual(['a', 'b', 'c']);
    expect((await ask(emulator, 'secret/metadata/?scan=true')).body).toEqual({ errors: [] });
    const detailed = await ask(emulator, 'secret/detailed-metadata/?list=true');
    expect([detailed.status, detailed.body.data]).toEqual([404, null]);
  });
});

test('a hundred thousand secrets can be seeded and listed', async () => {
  kv.seed(100_000, (index) => ({ path: `bulk/${index % 100}/${index}`, data: { value: `v${index}` } }));
  expect((await ask(emulator, 'secret/metadata/bulk/7?list=true')).body.data.keys).toHaveLength(1000);
  expect((await ask(emulator, 'secret/data/bulk/99/99999')).body.data.data).toEqual({ value: 'v99999' });
});
