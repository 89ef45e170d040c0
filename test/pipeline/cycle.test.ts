import { addsUp, type CycleCounts } from '@keyferry/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

test('add, change, delete, restore: keys follow the vault', async () => {
  const secrets = house.vault.kv('secret');
  for (const name of ['a', 'b', 'c', 'd']) secrets.put(`bifrost/${name}`, { value: `${name}-1` });
  const backend = await house.addBackend();

  const first = await house.cycle(backend);
  expect(first).toMatchObject({ state: 'completed', counts: { discovered: 4, added: 4 } });
  expect(await house.value('bifrost/a')).toBe('{"value":"a-1"}');

  secrets.put('bifrost/a', { value: 'a-2' });
  secrets.deleteMetadata('bifrost/b');
  const second = await house.cycle(backend);
  expect(second.counts).toMatchObject({ discovered: 3, updated: 1, unchanged: 2, deprecated: 1 });
  expect(await house.value('bifrost/a')).toBe('{"value":"a-2"}');
  expect(await house.states()).toMatchObject({ 'bifrost/b': 'deprecated', 'bifrost/a': 'active' });

  secrets.put('bifrost/b', { value: 'b-again' });
  const third = await house.cycle(backend);
  expect(third.counts).toMatchObject({ discovered: 4, restored: 1, unchanged: 3 });
  expect(await house.states()).toMatchObject({ 'bifrost/b': 'active' });
  expect(await house.value('bifrost/b')).toBe('{"value":"b-again"}');
  for (const cycle of [first, second, third]) expect(addsUp(cycle.counts as CycleCounts)).toBe(true);
});

test('an unchanged cycle reads no value and writes no key', async () => {
  const secrets = house.vault.kv('secret');
  for (let index = 0; index < 20; index++) secrets.put(`bifrost/team/${index}`, { value: 'x' });
  const backend = await house.addBackend();
  await house.cycle(backend);
  const before = await house.keys();
  house.vault.requests.reset();

  const cycle = await house.cycle(backend);

  expect(cycle.counts).toMatchObject({ discovered: 20, unchanged: 20 });
  expect(house.vault.requests.counts.data).toBeUndefined();
  expect(house.vault.requests.counts).toMatchObject({ list: 2, metadata: 20 });
  expect(cycle.calls).toMatchObject({ list: 2, metadata: 20 });
  expect(await house.keys()).toEqual(before);
});

test('soft-deleted though still listed: the key is deprecated, and restored by undelete', async () => {
  const secrets = house.vault.kv('secret');
  for (const name of ['a', 'b', 'c']) secrets.put(`bifrost/${name}`, { value: name });
  const backend = await house.addBackend();
  await house.cycle(backend);

  secrets.delete('bifrost/b');
  const deleted = await house.cycle(backend);
  expect(deleted.counts).toMatchObject({ discovered: 3, unchanged: 2, gone: 1, deprecated: 1 });
  expect((await house.states())['bifrost/b']).toBe('deprecated');

  secrets.undelete('bifrost/b');
  const undeleted = await house.cycle(backend);
  expect(undeleted.counts).toMatchObject({ restored: 1, unchanged: 2 });
  expect((await house.states())['bifrost/b']).toBe('active');
});

test('a destroyed version counts as deleted', async () => {
  const secrets = house.vault.kv('secret');
  for (const name of ['a', 'b', 'c']) secrets.put(`bifrost/${name}`, { value: name });
  const backend = await house.addBackend();
  await house.cycle(backend);
  secrets.destroy('bifrost/c');
  expect((await house.cycle(backend)).counts).toMatchObject({ gone: 1, deprecated: 1 });
});

test('a secret soft-deleted before it was ever carried is counted as gone, and nothing else', async () => {
  const secrets = house.vault.kv('secret');
  secrets.put('bifrost/a', { value: 'a' });
  secrets.put('bifrost/never', { value: 'n' });
  secrets.delete('bifrost/never');
  const cycle = await house.cycle(await house.addBackend());
  expect(cycle).toMatchObject({
    state: 'completed',
    issues: 0,
    counts: { discovered: 2, added: 1, gone: 1, deprecated: 0 },
  });
});

test('a secret that was destroyed for good and made anew is an update, though its version numbers start again', async () => {
  const secrets = house.vault.kv('secret');
  secrets.put('bifrost/a', { value: '1' });
  secrets.put('bifrost/a', { value: '2' });
  const backend = await house.addBackend();
  await house.cycle(backend);
  house.clock.advance(10);
  secrets.deleteMetadata('bifrost/a');
  secrets.put('bifrost/a', { value: 'new' });
  expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1 });
  expect(await house.value('bifrost/a')).toBe('{"value":"new"}');
});

test('every change is told of by one event, numbered without gaps', async () => {
  const secrets = house.vault.kv('secret');
  for (const name of ['a', 'b', 'c']) secrets.put(`bifrost/${name}`, { value: name });
  const backend = await house.addBackend();
  await house.cycle(backend);
  secrets.put('bifrost/a', { value: 'changed' });
  secrets.deleteMetadata('bifrost/b');
  await house.cycle(backend);

  const events = await house.events();
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.map((event) => [event.type, event.data.paths])).toEqual([
    ['keys.created', ['bifrost/a', 'bifrost/b', 'bifrost/c']],
    ['federation.sync.completed', undefined],
    ['keys.rotated', ['bifrost/a']],
    ['keys.deprecated', ['bifrost/b']],
    ['federation.sync.completed', undefined],
  ]);
  expect(events[1]?.data).toMatchObject({
    backend: backend.name,
    trigger: 'hand',
    counts: { discovered: 3, added: 3 },
    issues: 0,
    vault_calls: { list: 1, read: 3 },
  });
});

test('a backup of the value is kept before a key is deprecated, unless the backend wants none', async () => {
  const secrets = house.vault.kv('secret');
  for (const name of ['a', 'b', 'c', 'd']) secrets.put(`bifrost/${name}`, { value: name });
  const backend = await house.addBackend();
  await house.cycle(backend);
  secrets.deleteMetadata('bifrost/a');
  await house.cycle(backend);
  const backups = await house.read((tx) => tx.selectFrom('backups').select(['local_path', 'ciphertext']).execute());
  expect(backups.map((backup) => backup.local_path)).toEqual(['bifrost/a']);

  await house.read((tx) => tx.updateTable('backends').set({ backup_deprecated_keys: false }).execute());
  secrets.deleteMetadata('bifrost/b');
  await house.cycle(backend);
  expect(await house.states()).toMatchObject({ 'bifrost/b': 'deprecated' });
  expect(await house.read((tx) => tx.selectFrom('backups').select('id').execute())).toHaveLength(1);
});

test('with auto_deprecate off, missing keys are reported and stay', async () => {
  const secrets = house.vault.kv('secret');
  for (const name of ['a', 'b']) secrets.put(`bifrost/${name}`, { value: name });
  const backend = await house.addBackend({ auto_deprecate: false });
  await house.cycle(backend);
  secrets.deleteMetadata('bifrost/a');
  secrets.deleteMetadata('bifrost/b');
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', counts: { missing: 2, deprecated: 0, held: 0 } });
  expect(await house.states()).toEqual({ 'bifrost/a': 'active', 'bifrost/b': 'active' });
});

test('twelve hundred secrets go through three shards', async () => {
  house.vault
    .kv('secret')
    .seed(1_200, (index) => ({ path: `bifrost/f${index % 7}/k${index}`, data: { value: `v${index}` } }));
  const backend = await house.addBackend();
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({
    state: 'completed',
    shards_total: 3,
    shards_left: 0,
    counts: { discovered: 1_200, added: 1_200 },
  });
  expect(await house.keys()).toHaveLength(1_200);
  expect(await house.value('bifrost/f0/k700')).toBe('{"value":"v700"}');
});

test('KV version 1 is carried without versions: changes are found by digest', async () => {
  const old = house.vault.mounts.enable('old', { type: 'kv', version: 1 });
  old.put('bifrost/a', { value: 'a' });
  old.put('bifrost/b', { value: 'b' });
  const backend = await house.addBackend({ config: { address: house.vault.url, mount: 'old' } });
  expect((await house.cycle(backend)).counts).toMatchObject({ added: 2 });
  old.put('bifrost/a', { value: 'a2' });
  expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1, unchanged: 1 });
  old.delete('bifrost/b');
  expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 1, deprecated: 1 });
});

test('OpenBao’s detailed listing sees changes without a call for each secret', async () => {
  await house.close();
  house = await openHouse({ vault: { flavour: 'openbao' } });
  const secrets = house.vault.kv('secret');
  for (let index = 0; index < 30; index++) secrets.put(`bifrost/${index % 3}/${index}`, { value: 'x' });
  const backend = await house.addBackend();
  await house.cycle(backend);
  secrets.put('bifrost/0/0', { value: 'changed' });
  const cycle = await house.cycle(backend);
  expect(cycle.counts).toMatchObject({ unchanged: 29, updated: 1 });
  expect(cycle.calls).toMatchObject({ read: 1 });
  expect(cycle.calls.metadata ?? 0).toBe(0);
});
