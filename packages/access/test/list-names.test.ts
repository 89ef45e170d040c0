import { type Backend, listBackends } from '@keyferry/store';
import { type House, openHouse } from '@keyferry/testing/support/house.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestReader, testReader } from './harness.ts';

let house: House;
let reader: TestReader;

beforeAll(async () => {
  house = await openHouse();
  reader = testReader(house);
  const kv = house.vault.kv('secret');
  for (const path of [
    'bifrost/a',
    'bifrost/b',
    'bifrost/team/x',
    'through/one',
    'through/team/two',
    'through/z',
    'left/out',
  ])
    kv.put(path, { value: 'v' });
  await house.cycle(await house.addBackend({ name: 'synced' }));
  await house.addBackend({
    name: 'proxied',
    mode: 'proxy',
    sync_paths: ['through/*'],
    exclude_paths: ['through/z'],
    path_mapping: [{ from: 'bifrost/by/**', to: 'through/**' }],
  });
});
afterAll(async () => {
  await reader.close();
  await house.close();
});

const sees = () => true;
const list = async (prefix: string, after: string | null = null, limit = 100) =>
  (await reader.list(house.tenantId, { prefix, after, limit, sees })).names.map(({ path }) => path);

test('names of the store and of proxied vaults are one list, in the order of their paths', async () => {
  const { names } = await reader.list(house.tenantId, { prefix: '', after: null, limit: 100, sees });
  expect(names).toEqual([
    { path: 'bifrost/a', backend: 'synced', mode: 'sync' },
    { path: 'bifrost/b', backend: 'synced', mode: 'sync' },
    { path: 'bifrost/by/one', backend: 'proxied', mode: 'proxy' },
    { path: 'bifrost/by/team/two', backend: 'proxied', mode: 'proxy' },
    { path: 'bifrost/team/x', backend: 'synced', mode: 'sync' },
  ]);
});

test('a prefix says what is listed, and in the vault no folder beside it', async () => {
  house.vault.requests.reset();
  expect(await list('bifrost/by/team/')).toEqual(['bifrost/by/team/two']);
  const folders = house.vault.requests.all.filter(({ path }) => path.includes('metadata')).map(({ path }) => path);
  expect(folders.every((path) => path.startsWith('secret/metadata/through/team'))).toBe(true);
  expect(await list('bifrost/by/t')).toEqual(['bifrost/by/team/two']);
  expect(await list('nothing')).toEqual([]);
});

test('a prefix that no local path begins with costs no call, and leads to no other place of the vault', async () => {
  await list('bifrost/');
  house.vault.requests.reset();
  for (const prefix of ['bifrost/by/../', 'bifrost/by/../../../sys/policies/acl/', 'bifrost/by//', 'bifrost/by/./t'])
    expect(await list(prefix)).toEqual([]);
  expect(house.vault.requests.total).toBe(0);
});

test('it goes on after a name, across both', async () => {
  expect(await list('', null, 2)).toEqual(['bifrost/a', 'bifrost/b']);
  expect(await list('', 'bifrost/b', 2)).toEqual(['bifrost/by/one', 'bifrost/by/team/two']);
  expect(await list('', 'bifrost/by/team/two', 2)).toEqual(['bifrost/team/x']);
});

test('it is refused where a vault can’t be listed, and never shorter than it is', async () => {
  const fault = house.vault.faults.inject({ effect: { kind: 'status', status: 503 }, path: '*metadata*' });
  await expect(list('')).rejects.toMatchObject({ failureClass: 'unavailable' });
  fault.remove();
});

test('what is stored and proxied by now is listed once, as its vault has it', async () => {
  const backends = await house.read((tx) => listBackends(tx));
  const synced = backends.find(({ name }) => name === 'synced') as Backend;
  house.vault.kv('secret').put('bifrost/c', { value: 'v' });
  house.vault.kv('secret').deleteMetadata('bifrost/a');
  await house.change(synced, { path_mapping: [{ from: 'bifrost/**', to: 'bifrost/**', mode: 'proxy' }] });
  await reader.check(house.tenantId);
  expect((await reader.list(house.tenantId, { prefix: 'bifrost/', after: null, limit: 10, sees })).names).toEqual([
    { path: 'bifrost/b', backend: 'synced', mode: 'proxy' },
    { path: 'bifrost/by/one', backend: 'proxied', mode: 'proxy' },
    { path: 'bifrost/by/team/two', backend: 'proxied', mode: 'proxy' },
    { path: 'bifrost/c', backend: 'synced', mode: 'proxy' },
    { path: 'bifrost/team/x', backend: 'synced', mode: 'proxy' },
  ]);
});

test('more names of a proxied vault than one answer may hold are refused, by its name', async () => {
  house.vault.kv('secret').seed(10_001, (index) => ({ path: `through/many/${index}`, data: { value: 'v' } }));
  await expect(list('bifrost/by/')).rejects.toMatchObject({
    code: 'prefix_too_broad',
    message: 'The vault of "proxied" has more than 10000 names that begin with "bifrost/by/".',
  });
  expect(await list('bifrost/by/team/')).toEqual(['bifrost/by/team/two']);
});
