import { revokeKeys, unrevokeKeys } from '@keyferry/pipeline';
import { listKeyChanges } from '@keyferry/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { choosing } from '../support/all-paths.ts';
import { type House, openHouse } from '../support/house.ts';
import { writeHere } from '../support/written.ts';

/** Break-glass: what is revoked is gone at once, and stays so until a person lifts it. */

const day = 24 * 3600;
const canary = 'canary-5d20-revoked-value';

let house: House;
beforeEach(async () => {
  house = await openHouse();
  const secrets = house.vault.kv('secret');
  for (const name of ['a', 'b', 'team/c', 'team/d']) secrets.put(`bifrost/${name}`, { value: `${canary}-${name}` });
});
afterEach(() => house.close());

const revoke = (paths: string[], more: { all?: boolean; dryRun?: boolean; exact?: boolean } = {}) =>
  revokeKeys(house.services, {
    tenantId: house.tenantId,
    paths,
    choosing,
    reason: 'leaked in a log',
    by: 'ann',
    all: false,
    dryRun: false,
    ...more,
  });
const unrevoke = (paths: string[]) =>
  unrevokeKeys(house.services, { tenantId: house.tenantId, paths, choosing, reason: 'false alarm', by: 'bob' });

const keyAt = async (path: string) => {
  const key = (await house.keys()).find(({ local_path }) => local_path === path);
  if (!key) throw new Error(`There is no key ${path}.`);
  return key;
};
const audited = (action: string) =>
  house.read((tx) => tx.selectFrom('audit_log').selectAll().where('action', '=', action).execute());
const generationOf = async (id: string) =>
  (
    await house.read((tx) =>
      tx.selectFrom('backends').select('flush_generation').where('id', '=', id).executeTakeFirstOrThrow(),
    )
  ).flush_generation;

async function synced(settings: Parameters<House['addBackend']>[0] = {}) {
  const backend = await house.addBackend(settings);
  await house.cycle(backend);
  return backend;
}

test('a path that has signs of a glob is one alone if that is said', async () => {
  const secrets = house.vault.kv('secret');
  secrets.put('bifrost/a?', { value: canary });
  secrets.put('bifrost/a**b', { value: canary });
  await synced();
  expect(await revoke(['bifrost/a?'], { exact: true })).toMatchObject({ count: 1, paths: ['bifrost/a?'] });
  await expect(revoke(['bifrost/a**b'])).rejects.toMatchObject({ code: 'glob_invalid' });
  expect(await revoke(['bifrost/a**b'], { exact: true })).toMatchObject({ count: 1 });
  expect((await keyAt('bifrost/a')).revoked).toBe(false);
});

test('a revoked key is archived at once, told of as urgent with who and why, audited, and its backend’s caches flushed', async () => {
  const backend = await synced();
  expect(await revoke(['bifrost/a'])).toEqual({
    dryRun: false,
    count: 1,
    alreadyRevoked: 0,
    everything: false,
    paths: ['bifrost/a'],
    credentialsOf: [],
  });
  const key = await keyAt('bifrost/a');
  expect(key).toMatchObject({ state: 'archived', revoked: true, archive_at: null, purge_at: null });
  expect(await generationOf(backend.id)).toBe(1);
  const [event] = await house.events('keys.revoked');
  expect(event?.data).toMatchObject({
    paths: ['bifrost/a'],
    cycle_id: null,
    actor: 'ann',
    reason: 'leaked in a log',
    urgent: true,
  });
  expect(await house.read((tx) => listKeyChanges(tx, key.id, 10))).toMatchObject([
    { change: 'revoked', from_state: 'active', to_state: 'archived', actor: 'ann', reason: 'leaked in a log' },
  ]);
  expect(await audited('keys.revoked')).toMatchObject([
    { actor: 'ann', target: 'bifrost/a', details: { paths: ['bifrost/a'], reason: 'leaked in a log', revoked: 1 } },
  ]);
  expect(JSON.stringify([await house.events(), await audited('keys.revoked')])).not.toContain(canary);
});

test('keys of several globs and paths, of several backends and in any state, are revoked once each', async () => {
  house.vault.mounts.enable('other', { type: 'kv', version: 2 });
  house.vault.kv('other').put('team/e', { value: 'e' });
  const backend = await synced();
  const config = { address: house.vault.url, mount: 'other' };
  const other = await synced({
    config,
    sync_paths: ['team/*'],
    path_mapping: [{ from: 'bifrost/team/e', to: 'team/e' }],
  });
  await house.read((tx) =>
    tx.updateTable('keys').set({ state: 'expired' }).where('local_path', '=', 'bifrost/team/c').execute(),
  );
  await revoke(['bifrost/b']);
  const result = await revoke(['bifrost/team/*', 'bifrost/**/c', 'bifrost/b', 'bifrost/a'], { all: true });
  expect(result).toMatchObject({ count: 4, alreadyRevoked: 1 });
  expect(new Set((await house.keys()).map(({ state, revoked }) => `${state} ${revoked}`))).toEqual(
    new Set(['archived true']),
  );
  const told = (await house.events('keys.revoked')).slice(1);
  expect(told.map(({ backend_id, data }) => [backend_id, (data.paths as string[]).toSorted()])).toEqual(
    expect.arrayContaining([
      [backend.id, ['bifrost/a', 'bifrost/team/c', 'bifrost/team/d']],
      [other.id, ['bifrost/team/e']],
    ]),
  );
  expect(await generationOf(other.id)).toBe(1);
});

test.each([
  [['bifrost/none'], 'key_not_found'],
  [['bifrost/a', 'bifrost/none'], 'key_not_found'],
  [['bifrost/a', 'nothing/*'], 'nothing_matches'],
  [['bifrost/te?m/x*'], 'nothing_matches'],
  [['a/**b'], 'glob_invalid'],
  [['a//b'], 'request_invalid'],
])('%j is refused as %s, and nothing is changed', async (paths, code) => {
  const backend = await synced();
  await expect(revoke(paths)).rejects.toMatchObject({ code });
  expect(new Set(Object.values(await house.states()))).toEqual(new Set(['active']));
  expect(await generationOf(backend.id)).toBe(0);
  expect(await audited('keys.revoked')).toEqual([]);
});

test('a glob reaches every key of its folder, and none of a folder whose name is longer', async () => {
  const secrets = house.vault.kv('secret');
  for (const name of ['team/\u{1F511}', 'team/ü', 'team0/x', 'team-b/x', 'tea/x'])
    secrets.put(`bifrost/${name}`, { value: 'x' });
  await synced();
  await revoke(['bifrost/team/*']);
  const revoked = (await house.keys()).filter((key) => key.revoked).map(({ local_path }) => local_path);
  expect(revoked).toEqual(['bifrost/team/c', 'bifrost/team/d', 'bifrost/team/ü', 'bifrost/team/\u{1F511}']);
});

test('globs that match all that is served need a word for it; what they would do can be seen before', async () => {
  await synced();
  await revoke(['bifrost/a']);
  await expect(revoke(['bifrost/b', 'bifrost/team/*'])).rejects.toMatchObject({
    code: 'revoke_all_unconfirmed',
    details: { served: 3 },
  });
  const before = await house.states();
  expect(await revoke(['**'], { dryRun: true })).toMatchObject({ dryRun: true, everything: true, count: 3 });
  expect(await house.states()).toEqual(before);
  expect(await audited('keys.revoked')).toHaveLength(1);
  expect(await revoke(['**'], { all: true })).toMatchObject({ count: 3, alreadyRevoked: 1, everything: true });
});

test('paths alone, and the last key, need no such word', async () => {
  await synced();
  expect(await revoke(['bifrost/a', 'bifrost/b', 'bifrost/team/c'])).toMatchObject({ everything: false });
  expect(await revoke(['bifrost/team/*'])).toMatchObject({ count: 1 });
});

test('an answer names at most twenty paths, and a thousand keys and more are revoked in one go', async () => {
  const secrets = house.vault.kv('secret');
  for (let index = 0; index < 1_050; index++) secrets.put(`bifrost/many/k${index}`, { value: 'x' });
  await synced();
  const result = await revoke(['bifrost/many/*']);
  expect(result.count).toBe(1_050);
  expect(result.paths).toHaveLength(20);
  expect((await house.events('keys.revoked')).map(({ data }) => (data.paths as string[]).length)).toEqual([
    500, 500, 50,
  ]);
  expect((await house.keys()).filter(({ revoked }) => revoked)).toHaveLength(1_050);
});

test('whose credentials are in the keys is told', async () => {
  const backend = await synced();
  await house.read((tx) =>
    tx
      .updateTable('backends')
      .set({ credential_paths: ['bifrost/team/c'] })
      .where('id', '=', backend.id)
      .execute(),
  );
  expect(await revoke(['bifrost/team/*'], { dryRun: true })).toMatchObject({ credentialsOf: [backend.name] });
  expect(await revoke(['bifrost/a'])).toMatchObject({ credentialsOf: [] });
});

test('no cycle brings a revoked key back: unchanged, with a new version, or deprecated and found again', async () => {
  const backend = await synced();
  const secrets = house.vault.kv('secret');
  secrets.deleteMetadata('bifrost/b');
  await house.cycle(backend);
  expect((await house.states())['bifrost/b']).toBe('deprecated');
  await revoke(['bifrost/a', 'bifrost/b', 'bifrost/team/c']);

  secrets.put('bifrost/a', { value: 'another' });
  secrets.put('bifrost/b', { value: 'back' });
  secrets.deleteMetadata('bifrost/team/c');
  expect((await house.cycle(backend)).counts).toMatchObject({ restored: 0, added: 0, deprecated: 0 });
  expect((await house.cycle(backend)).counts).toMatchObject({ restored: 0, added: 0, deprecated: 0 });
  for (const path of ['bifrost/a', 'bifrost/b', 'bifrost/team/c'])
    expect(await keyAt(path)).toMatchObject({ state: 'archived', revoked: true });

  house.clock.advance(400 * day);
  await house.sweep();
  await house.cycle(backend);
  expect(await house.sweep()).toMatchObject({ 'keys.purged': 0, 'keys.expired': 0 });
  expect((await house.keys()).filter(({ revoked }) => revoked)).toHaveLength(3);
});

test('an expired key that is revoked is not renewed, and one that is revoked does not expire', async () => {
  const at = (seconds: number) => new Date(house.clock.now().getTime() + seconds * 1000).toISOString();
  const secrets = house.vault.kv('secret');
  const put = (name: string, value: string, seconds: number) =>
    secrets.put(`bifrost/${name}`, { value }, { customMetadata: { expires_at: at(seconds) } });
  put('soon', '1', 60);
  put('later', '1', 600);
  const backend = await synced();
  house.clock.advance(60);
  await house.sweep();
  expect((await house.states())['bifrost/soon']).toBe('expired');
  await revoke(['bifrost/soon', 'bifrost/later']);
  put('soon', '2', day);
  await house.cycle(backend);
  house.clock.advance(600);
  expect(await house.sweep()).toMatchObject({ 'keys.expired': 0 });
  for (const path of ['bifrost/soon', 'bifrost/later'])
    expect(await keyAt(path)).toMatchObject({ state: 'archived', revoked: true });
});

test('a key whose revocation is lifted stays archived until the next cycle, which is due at once, finds it', async () => {
  const backend = await synced();
  await revoke(['bifrost/a', 'bifrost/b']);
  house.vault.kv('secret').put('bifrost/a', { value: 'rotated meanwhile' });
  house.vault.kv('secret').deleteMetadata('bifrost/b');
  await house.cycle(backend);
  house.clock.advance(200 * day);
  expect(await unrevoke(['bifrost/a', 'bifrost/b'])).toEqual({ count: 2, paths: ['bifrost/a', 'bifrost/b'] });
  const key = await keyAt('bifrost/a');
  expect(key).toMatchObject({ state: 'archived', revoked: false });
  // Not by the time at which it was revoked: it would be purged before it could be found.
  expect(key.purge_at?.getTime()).toBe(house.clock.now().getTime() + 90 * day * 1000);
  expect(await house.sweep()).toMatchObject({ 'keys.purged': 0 });
  const { next_sync_at } = await house.read((tx) =>
    tx.selectFrom('backends').select('next_sync_at').executeTakeFirstOrThrow(),
  );
  expect(next_sync_at).toEqual(house.clock.now());

  await house.cycle(backend);
  expect(await house.states()).toMatchObject({ 'bifrost/a': 'active', 'bifrost/b': 'archived' });
  expect(await house.value('bifrost/a')).toBe('{"value":"rotated meanwhile"}');
  expect((await house.events('keys.unrevoked'))[0]?.data).toMatchObject({
    paths: expect.arrayContaining(['bifrost/a', 'bifrost/b']),
    actor: 'bob',
    reason: 'false alarm',
  });
  const story = await house.read((tx) => listKeyChanges(tx, key.id, 10));
  expect(story.map(({ change }) => change)).toContain('unrevoked');
  expect(await audited('keys.unrevoked')).toHaveLength(1);
});

test('a key that no vault has is served again as soon as its revocation is lifted, unless it was deleted before', async () => {
  const backend = await synced({ writes: 'local' });
  for (const path of ['bifrost/here', 'bifrost/deleted']) await writeHere(house, { backend, path }, 'ours');
  await house.read((tx) =>
    tx
      .updateTable('keys')
      .set((eb) => ({ state: 'archived', base_digest: eb.ref('local_digest') }))
      .where('local_path', '=', 'bifrost/deleted')
      .execute(),
  );
  await revoke(['bifrost/here', 'bifrost/deleted']);
  await house.cycle(backend);
  await unrevoke(['bifrost/here', 'bifrost/deleted']);
  expect(await house.states()).toMatchObject({ 'bifrost/here': 'active', 'bifrost/deleted': 'archived' });
  expect(await keyAt('bifrost/here')).toMatchObject({ revoked: false, purge_at: null });
  await house.cycle(backend);
  expect(await house.value('bifrost/here')).toBe('{"value":"ours"}');
});

test.each([
  [['bifrost/a'], 'not_revoked'],
  [['bifrost/**'], 'not_revoked'],
  [['bifrost/none'], 'key_not_found'],
  [['none/*'], 'nothing_matches'],
])('lifting of %j is refused as %s', async (paths, code) => {
  await synced();
  await expect(unrevoke(paths)).rejects.toMatchObject({ code });
  expect(await audited('keys.unrevoked')).toEqual([]);
});

test('revoking while a cycle writes the same keys ends with all of them revoked', async () => {
  const secrets = house.vault.kv('secret');
  for (let index = 0; index < 600; index++) secrets.put(`bifrost/many/k${index}`, { value: 'x' });
  const backend = await synced();
  for (let index = 0; index < 600; index++) secrets.put(`bifrost/many/k${index}`, { value: 'y' });
  await Promise.all([house.cycle(backend), revoke(['bifrost/many/*'])]);
  const many = (await house.keys()).filter(({ local_path }) => local_path.startsWith('bifrost/many/'));
  expect(many.every(({ state, revoked }) => state === 'archived' && revoked)).toBe(true);
});
