import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKeyring, defaultTenantId, loadMasterKey, openStore, type Store, valueBinding } from '../src/index.ts';

let database: TestDatabase;
let store: Store;
let folder: string;

beforeEach(async () => {
  database = await createDatabase();
  store = openStore({ connectionString: database.url });
  folder = await mkdtemp(join(tmpdir(), 'keyferry-key-'));
});
afterEach(async () => {
  await store.close();
  await database.drop();
  await rm(folder, { recursive: true });
});

const keyText = (fill: number) => Buffer.alloc(32, fill).toString('base64');

test('a master key is made where the database has none, for its owner’s eyes alone, and found again', async () => {
  const file = join(folder, 'sub', 'master.key');
  const made = await loadMasterKey(store, { file });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await loadMasterKey(store, { file })).toEqual(made);
});

test('a second host that would make another master key is refused, and makes none', async () => {
  await loadMasterKey(store, { file: join(folder, 'first.key') });
  const second = join(folder, 'second.key');
  await expect(loadMasterKey(store, { file: second })).rejects.toMatchObject({ code: 'master_key_missing' });
  await expect(readFile(second)).rejects.toThrow(/ENOENT/);
});

test('two hosts that start at once on an empty database end with one key', async () => {
  const files = [join(folder, 'a.key'), join(folder, 'b.key')];
  const results = await Promise.allSettled(files.map((file) => loadMasterKey(store, { file })));
  expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await store.global.selectFrom('master_keys').select('id').execute()).toHaveLength(1);
});

test('another master key than the data’s is refused and changes nothing', async () => {
  await loadMasterKey(store, { text: keyText(1) });
  await expect(loadMasterKey(store, { text: keyText(2) })).rejects.toMatchObject({ code: 'master_key_mismatch' });
  expect(await store.global.selectFrom('master_keys').select('id').execute()).toHaveLength(1);
});

test.each(['', 'short', keyText(1).slice(1), `${keyText(1)}AAAA`, 'ä'.repeat(43)])(
  '"%s" is no master key',
  async (text) => {
    const file = join(folder, 'bad.key');
    await writeFile(file, text);
    await expect(loadMasterKey(store, { file })).rejects.toMatchObject({ code: 'master_key_invalid' });
  },
);

test('a master key file that can’t be read is said so', async () => {
  await expect(loadMasterKey(store, { file: folder })).rejects.toMatchObject({ code: 'master_key_invalid' });
});

test('a ciphertext opens for its tenant, key and version, and for no other', async () => {
  const keyring = createKeyring(store, await loadMasterKey(store, { text: keyText(3) }));
  const keys = await keyring.ofTenant(defaultTenantId);
  const sealed = keys.seal(Buffer.from('secret'), valueBinding(defaultTenantId, 'key-1', 1));
  expect((await keys.unseal(sealed, valueBinding(defaultTenantId, 'key-1', 1))).toString()).toBe('secret');
  for (const binding of [
    valueBinding(defaultTenantId, 'key-1', 2),
    valueBinding(defaultTenantId, 'key-2', 1),
    valueBinding('other', 'key-1', 1),
  ])
    await expect(keys.unseal(sealed, binding)).rejects.toMatchObject({ code: 'decryption_failed' });
  for (let at = 0; at < sealed.ciphertext.length; at++) {
    const altered = Buffer.from(sealed.ciphertext);
    altered[at] = (altered[at] as number) ^ 1;
    const opening = keys.unseal({ ...sealed, ciphertext: altered }, valueBinding(defaultTenantId, 'key-1', 1));
    await expect(opening).rejects.toMatchObject({ code: 'decryption_failed' });
  }
});

test('two processes that open a new tenant at once agree on its keys', async () => {
  const masterKey = await loadMasterKey(store, { text: keyText(4) });
  const [left, right] = await Promise.all(
    [createKeyring(store, masterKey), createKeyring(store, masterKey)].map((keyring) =>
      keyring.ofTenant(defaultTenantId),
    ),
  );
  expect(left?.digest(Buffer.from('x'))).toEqual(right?.digest(Buffer.from('x')));
  const sealed = left?.seal(Buffer.from('x'), 'y');
  expect(sealed && (await right?.unseal(sealed, 'y'))?.toString()).toBe('x');
});

test('equal values have equal digests in a tenant, which tell nothing without the digest key', async () => {
  const masterKey = await loadMasterKey(store, { text: keyText(5) });
  const keys = await createKeyring(store, masterKey).ofTenant(defaultTenantId);
  expect(keys.digest(Buffer.from('a'))).toEqual(keys.digest(Buffer.from('a')));
  expect(keys.digest(Buffer.from('a'))).not.toEqual(keys.digest(Buffer.from('b')));
  expect(keys.digestKeyId).not.toBe(keys.encryptionKeyId);
});
