import { addsUp, type CycleCounts } from '@keyferry/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

/** Odd names and odd values are carried or reported by path, never dropped, never stopping the rest. */

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

/** What was not carried; some odd values are carried with a warning. */
const failuresOf = async (cycle: { id: string }) =>
  (await house.issues(cycle.id)).filter(({ outcome }) => outcome !== 'warned');

test('odd names are carried under the same name', async () => {
  const names = [
    'with space',
    'per%cent',
    'per%2Fcent',
    'ha#sh',
    'quest?ion',
    'am&per+plus=eq',
    'quote"\'`',
    'back\\slash',
    'semi;colon:at@',
    'ünïcödé',
    '日本語/キー',
    'emoji-🔑',
    'x'.repeat(512),
    'deep/a/b/c/d/e/f/g/h',
    'UPPER',
    'upper',
    '{{=<% %>=}}',
    '$HOME',
    '-dash',
  ];
  for (const name of names) house.vault.kv('secret').put(`bifrost/${name}`, { value: name });
  const cycle = await house.cycle(await house.addBackend());
  expect(await failuresOf(cycle)).toEqual([]);
  expect(cycle.counts).toMatchObject({ discovered: names.length, added: names.length });
  expect(new Set(Object.keys(await house.states()))).toEqual(new Set(names.map((name) => `bifrost/${name}`)));
  expect(await house.value('bifrost/per%2Fcent')).toBe('{"value":"per%2Fcent"}');
});

test('names that can’t be carried are reported by path, and the rest goes on', async () => {
  const bad = ['..', 'a//b', 'line\nbreak', 'nul\0here', 'é'.normalize('NFD'), 'é'.normalize('NFC'), 'y'.repeat(1030)];
  for (const name of [...bad, 'fine']) house.vault.kv('secret').put(`bifrost/${name}`, { value: 'x' });
  const backend = await house.addBackend();
  for (let round = 0; round < 2; round++) {
    const cycle = await house.cycle(backend);
    expect(cycle).toMatchObject({ state: 'completed', error_message: null });
    expect(addsUp(cycle.counts as CycleCounts)).toBe(true);
    expect(cycle.counts).toMatchObject({ discovered: 8, skipped: 7, [round === 0 ? 'added' : 'unchanged']: 1 });
    const codes = (await house.issues(cycle.id)).map((issue) => issue.code);
    expect(codes.filter((code) => code === 'path_ambiguous')).toHaveLength(2);
    expect(codes.filter((code) => code === 'path_incompatible')).toHaveLength(5);
  }
  expect(Object.keys(await house.states())).toEqual(['bifrost/fine']);
});

test('odd values are carried exactly', async () => {
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`field-${index}`, `v${index}`]));
  const values: Record<string, string> = {
    empty: '{}',
    'empty-text': '{"value":""}',
    null: '{"value":null}',
    numbers: '{"big":12345678901234567890,"decimal":1.10,"exponent":1e2}',
    nested: '{"a":{"b":[1,{"c":true}]}}',
    binary: JSON.stringify({ value: Buffer.from([0, 255, 1, 254]).toString('base64') }),
    unicode: JSON.stringify({ value: '\u0000\u2028🔑"\\' }),
    proto: '{"__proto__":{"x":1},"constructor":"y"}',
    wide: JSON.stringify(Object.fromEntries(Object.entries(wide).sort(([a], [b]) => (a < b ? -1 : 1)))),
    megabyte: JSON.stringify({ value: 'm'.repeat(1024 * 1024 - 100) }),
  };
  for (const [name, text] of Object.entries(values)) house.vault.kv('secret').put(`bifrost/${name}`, text);
  const cycle = await house.cycle(await house.addBackend());
  expect(await failuresOf(cycle)).toEqual([]);
  expect(cycle.counts).toMatchObject({ added: Object.keys(values).length });
  for (const [name, text] of Object.entries(values)) expect(await house.value(`bifrost/${name}`), name).toBe(text);
  expect(
    (
      await house.cycle(
        (await house.read((tx) => tx.selectFrom('backends').selectAll().executeTakeFirstOrThrow())) as never,
      )
    ).counts,
  ).toMatchObject({
    unchanged: Object.keys(values).length,
  });
});

test('a value over 2 MiB is reported as invalid and never replaces a good one', async () => {
  const secrets = house.vault.kv('secret');
  secrets.put('bifrost/grows', { value: 'small' });
  secrets.put('bifrost/other', { value: 'x' });
  const backend = await house.addBackend();
  await house.cycle(backend);
  secrets.put('bifrost/grows', { value: 'g'.repeat(2 * 1024 * 1024) });
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', issues: 1, counts: { invalid: 1, unchanged: 1 } });
  expect(await house.issues(cycle.id)).toMatchObject([{ remote_path: 'bifrost/grows', code: 'value_too_large' }]);
  expect(await house.value('bifrost/grows')).toBe('{"value":"small"}');
});

test('forty values of a megabyte are written in parts', async () => {
  for (let index = 0; index < 40; index++)
    house.vault.kv('secret').put(`bifrost/${index}`, { value: `${index}`.repeat(400_000) });
  const cycle = await house.cycle(await house.addBackend());
  expect(cycle.counts).toMatchObject({ discovered: 40, added: 40 });
});

test('excluded paths are counted as skipped and never read', async () => {
  const secrets = house.vault.kv('secret');
  secrets.put('bifrost/a', { value: 'a' });
  secrets.put('bifrost/private/b', { value: 'b' });
  const cycle = await house.cycle(await house.addBackend({ exclude_paths: ['bifrost/private/**'] }));
  expect(cycle.counts).toMatchObject({ discovered: 2, added: 1, skipped: 1, excluded: 1 });
  expect(cycle.issues).toBe(0);
  expect(await house.issues(cycle.id)).toEqual([]);
  expect(house.vault.requests.all.some((request) => request.path.startsWith('secret/data/bifrost/private'))).toBe(
    false,
  );
});

test('a mapping gives keys their local paths', async () => {
  house.vault.kv('secret').put('app/db/password', { value: 'p' });
  const backend = await house.addBackend({
    sync_paths: ['app/*'],
    path_mapping: [{ from: 'external/hashicorp/**', to: 'app/**' }],
  });
  await house.cycle(backend);
  expect(await house.states()).toEqual({ 'external/hashicorp/db/password': 'active' });
});

test('a local path belongs to the backend that has it; the other one reports it', async () => {
  house.vault.kv('secret').put('bifrost/shared', { value: 'first' });
  const other = house.vault.mounts.enable('other', { type: 'kv', version: 2 });
  other.put('bifrost/shared', { value: 'second' });
  const first = await house.addBackend();
  const second = await house.addBackend({ config: { address: house.vault.url, mount: 'other' } });
  await house.cycle(first);
  const cycle = await house.cycle(second);
  expect(cycle.counts).toMatchObject({ skipped: 1 });
  expect(await house.issues(cycle.id)).toMatchObject([{ code: 'path_taken' }]);
  expect(await house.value('bifrost/shared')).toBe('{"value":"first"}');
});

test('a path of sync_paths that isn’t there is told of, since a vault shows it as an empty folder', async () => {
  house.vault.kv('secret').put('bifrost/a', { value: 'a' });
  const backend = await house.addBackend({ sync_paths: ['bifrost/*', 'bifrots/*', 'bifrost/b'] });
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', issues: 2, counts: { discovered: 1, added: 1, empty: 2 } });
  expect((await house.issues(cycle.id)).map((issue) => [issue.remote_path, issue.code])).toEqual([
    ['bifrots/*', 'nothing_found'],
    ['bifrost/b', 'nothing_found'],
  ]);
});
