import { resolveConflicts } from '@keyferry/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeOf, openWritingHouse, type WritingHouse } from './support/writing.ts';

/** Values that are stored here alone, and what of writing has nothing to do with a vault. */

let house: WritingHouse;
beforeEach(async () => {
  house = await openWritingHouse();
});
afterEach(() => house.close());

const inVault = (path: string) => house.vault.kv('secret').get(path)?.data;
const addLocal = (settings: Parameters<typeof house.addBackend>[0] = {}) =>
  house.addBackend({ writes: 'local', ...settings });

describe('a value that is stored here alone', () => {
  test('makes a key that no vault has, and the vault isn’t asked', async () => {
    await addLocal();
    const before = house.vault.requests.total;
    const written = await house.put('bifrost/here', 'v1');
    expect(written).toMatchObject({ version: 1, remoteVersion: null, created: true, writtenTo: 'store', owned: false });
    expect(house.vault.requests.total).toBe(before);
    expect(await house.value('bifrost/here')).toBe('{"value":"v1"}');
    const row = await house.row('bifrost/here');
    expect(row).toMatchObject({ state: 'active', remote_path: 'bifrost/here', write_seq: 1, created_in: null });
    expect(row).toMatchObject({ base_digest: Buffer.alloc(0), remote_digest: Buffer.alloc(0), remote_version: null });
    expect(await house.events('keys.created')).toHaveLength(1);
    expect((await house.put('bifrost/here', 'v2')).version).toBe(2);
    expect((await house.put('bifrost/here', 'v2')).version).toBe(2);
  });

  test('puts a key ahead of its vault, and keeps the sides as they were noted', async () => {
    const backend = await addLocal({ max_versions: 2 });
    house.vault.kv('secret').put('bifrost/a', { value: 'one' });
    await house.cycle(backend);
    const before = await house.row('bifrost/a');
    expect(await house.put('bifrost/a', 'two')).toMatchObject({ version: 2, created: false, writtenTo: 'store' });
    await house.put('bifrost/a', 'three');
    const after = await house.row('bifrost/a');
    expect(after).toMatchObject({ version: 3, write_seq: 2, rolled_back: false, remote_version: '1' });
    expect([after?.base_digest, after?.remote_digest]).toEqual([before?.base_digest, before?.remote_digest]);
    expect(inVault('bifrost/a')).toBe('{"value":"one"}');
    const versions = await house.read((tx) => tx.selectFrom('key_versions').select(['version', 'source']).execute());
    expect(versions.map(({ version }) => version).sort()).toEqual([2, 3]);
    expect((await house.cycle(backend)).counts).toMatchObject({ discovered: 1 });
    expect(await house.value('bifrost/a')).toBe('{"value":"three"}');
  });

  test('lets an expired key be served again', async () => {
    const backend = await addLocal();
    const expires_at = new Date(house.clock.now().getTime() + 60_000).toISOString();
    house.vault.kv('secret').put('bifrost/a', { value: 'one' }, { customMetadata: { expires_at } });
    await house.cycle(backend);
    house.clock.advance(120);
    await house.sweep();
    expect(await house.states()).toEqual({ 'bifrost/a': 'expired' });
    await house.put('bifrost/a', 'two');
    expect(await house.row('bifrost/a')).toMatchObject({ state: 'active', expires_at: null, purge_at: null });
  });

  test('isn’t over with the expiry of the value that the vault still has', async () => {
    const backend = await addLocal();
    const expires_at = new Date(house.clock.now().getTime() + 60_000).toISOString();
    const one = { customMetadata: { expires_at } };
    house.vault.kv('secret').put('bifrost/a', { value: 'one' }, one);
    await house.cycle(backend);
    house.clock.advance(120);
    await house.sweep();
    await house.put('bifrost/a', 'two');
    house.vault.kv('secret').put('bifrost/a', { value: 'one' }, one);
    expect((await house.cycle(backend)).counts).toMatchObject({ ahead: 1 });
    expect(await house.row('bifrost/a')).toMatchObject({ state: 'active', expires_at: null });
    await house.sweep();
    expect(await house.states()).toEqual({ 'bifrost/a': 'active' });
    await house.change(backend, { access_mode: 'read_and_write', writes: 'write_through' });
    expect((await house.cycle(backend)).counts).toMatchObject({ pushed: 1 });
    expect(inVault('bifrost/a')).toBe('{"value":"two"}');
  });

  test('stays, as one that is only here, where the key had gone from the vault before', async () => {
    const backend = await addLocal();
    for (const path of ['bifrost/a', 'bifrost/b', 'bifrost/c', 'bifrost/keep'])
      house.vault.kv('secret').put(path, { value: 'one' });
    await house.cycle(backend);
    await house.remove('bifrost/b');
    for (const path of ['bifrost/a', 'bifrost/b']) house.vault.kv('secret').deleteMetadata(path);
    await house.cycle(backend);
    expect(await house.states()).toMatchObject({ 'bifrost/a': 'deprecated', 'bifrost/b': 'archived' });
    for (const path of ['bifrost/a', 'bifrost/b']) await house.put(path, 'two');
    expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 0 });
    expect(await house.states()).toMatchObject({ 'bifrost/a': 'active', 'bifrost/b': 'active' });
    await house.change(backend, { access_mode: 'read_and_write', writes: 'write_through' });
    expect((await house.cycle(backend)).counts).toMatchObject({ pushed: 2 });
    expect(inVault('bifrost/b')).toBe('{"value":"two"}');
  });

  test('tells the key’s story, audit and time of rotation', async () => {
    await addLocal({ lifecycle_rules: [{ paths: ['bifrost/**'], rotate_every_seconds: 3600 }] });
    await house.put('bifrost/a', 'one');
    const due = new Date(house.clock.now().getTime() + 3_600_000);
    expect(await house.row('bifrost/a')).toMatchObject({ rotation_due_at: due });
    const story = await house.read((tx) => tx.selectFrom('key_changes').selectAll().execute());
    expect(story).toMatchObject([
      { change: 'written', to_state: 'active', version: 1, actor: 'somebody', cycle_id: null },
    ]);
    expect(await house.audited('key.written')).toMatchObject([
      { actor: 'somebody', target: 'bifrost/a', details: { version: 1, created: true, written_to: 'store' } },
    ]);
  });
});

test('what a person said of a conflict is of the value that they saw here, too', async () => {
  const backend = await addLocal({ conflict_policy: 'manual' });
  house.vault.kv('secret').put('bifrost/a', { value: 'one' });
  await house.cycle(backend);
  await house.put('bifrost/a', 'ours');
  house.vault.kv('secret').put('bifrost/a', { value: 'theirs' });
  expect((await house.cycle(backend)).counts).toMatchObject({ conflicting: 1 });
  const said = { keep: 'remote', paths: null, by: 'ann', now: house.clock.now() } as const;
  await house.read((tx) => resolveConflicts(tx, backend, said));
  await house.put('bifrost/a', 'ours, later');
  expect((await house.cycle(backend)).counts).toMatchObject({ conflicting: 1 });
  expect(await house.value('bifrost/a')).toBe('{"value":"ours, later"}');
});

describe('what is refused', () => {
  test('writes that the backend doesn’t take, and paths that no backend has', async () => {
    await house.addBackend();
    expect(await codeOf(house.put('bifrost/a', 'x'))).toBe('writes_disabled');
    expect(await codeOf(house.put('elsewhere/a', 'x'))).toBe('path_unmapped');
    expect(await codeOf(house.remove('elsewhere/a'))).toBe('path_unmapped');
    expect(await house.keys()).toEqual([]);
  });

  test('writes and deletions of what is read through', async () => {
    await addLocal({ path_mapping: [{ from: 'bifrost/live/**', to: 'bifrost/live/**', mode: 'proxy' }] });
    expect(await codeOf(house.put('bifrost/live/a', 'x'))).toBe('proxied_read_only');
    expect(await codeOf(house.remove('bifrost/live/a'))).toBe('proxied_read_only');
    expect(await house.put('bifrost/stored', 'x')).toMatchObject({ created: true });
  });

  test('paths that two backends have, and names that another key has', async () => {
    const backend = await addLocal();
    house.vault.kv('secret').put('bifrost/a', { value: 'one' });
    await house.cycle(backend);
    await house.change(backend, { path_mapping: [{ from: 'other/a', to: 'bifrost/a' }] });
    expect(await codeOf(house.put('other/a', 'x'))).toBe('path_taken');
    await house.change(backend, { path_mapping: [] });
    await addLocal();
    expect(await codeOf(house.put('bifrost/new', 'x'))).toBe('path_contested');
    expect(await house.put('bifrost/a', 'two')).toMatchObject({ version: 2 });
  });

  test('values that a rule rejects or that are too large, before anything is written', async () => {
    await addLocal({
      validation_rules: [
        { paths: ['bifrost/long'], fields: { value: { min_length: 8 } }, severity: 'reject' },
        { paths: ['bifrost/warned'], fields: { value: { min_length: 8 } }, severity: 'warn' },
      ],
    });
    expect(await codeOf(house.put('bifrost/long', 'short'))).toBe('value_too_short');
    expect(await codeOf(house.put('bifrost/a', 'x'.repeat(2 * 1024 * 1024 + 1)))).toBe('value_too_large');
    expect(await house.keys()).toEqual([]);
    expect(await house.put('bifrost/warned', 'short')).toMatchObject({ created: true });
  });

  test('revoked keys', async () => {
    await addLocal();
    await house.put('bifrost/a', 'x');
    await house.read((tx) => tx.updateTable('keys').set({ revoked: true, state: 'archived' }).execute());
    expect(await codeOf(house.put('bifrost/a', 'y'))).toBe('key_revoked');
    expect(await codeOf(house.remove('bifrost/a'))).toBe('key_not_served');
  });

  test('a removed backend’s paths; a paused one takes writes', async () => {
    const backend = await addLocal({ state: 'paused' });
    expect(await house.put('bifrost/a', 'x')).toMatchObject({ created: true });
    await house.read((tx) =>
      tx.updateTable('backends').set({ state: 'removed' }).where('id', '=', backend.id).execute(),
    );
    expect(await codeOf(house.put('bifrost/a', 'y'))).toBe('path_unmapped');
  });
});

describe('conditions', () => {
  test('If-Match wants the version that is served, or any', async () => {
    await addLocal();
    expect(await codeOf(house.put('bifrost/a', 'x', { ifMatch: '*' }))).toBe('precondition_failed');
    const { etag } = await house.put('bifrost/a', 'one');
    expect(await house.put('bifrost/a', 'two', { ifMatch: `"other", ${etag}` })).toMatchObject({ version: 2 });
    expect(await codeOf(house.put('bifrost/a', 'three', { ifMatch: etag }))).toBe('precondition_failed');
    expect(await codeOf(house.remove('bifrost/a', { ifMatch: etag }))).toBe('precondition_failed');
    expect(await house.put('bifrost/a', 'three', { ifMatch: '*' })).toMatchObject({ version: 3 });
  });

  test('If-None-Match wants that there is none', async () => {
    await addLocal();
    const { etag } = await house.put('bifrost/a', 'one', { ifNoneMatch: '*' });
    expect(await codeOf(house.put('bifrost/a', 'two', { ifNoneMatch: '*' }))).toBe('precondition_failed');
    expect(await codeOf(house.put('bifrost/a', 'two', { ifNoneMatch: etag }))).toBe('precondition_failed');
    await house.remove('bifrost/a');
    expect(await house.put('bifrost/a', 'two', { ifNoneMatch: '*' })).toMatchObject({ version: 2, created: false });
  });
});

test('of many writers of a new path each is served, one after the other', async () => {
  await addLocal();
  const all = await Promise.all(Array.from({ length: 8 }, (_, index) => house.put('bifrost/a', `v${index}`)));
  expect(all.map(({ version }) => version).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(all.filter(({ created }) => created)).toHaveLength(1);
  expect(await house.row('bifrost/a')).toMatchObject({ version: 8, write_seq: 8 });
});
