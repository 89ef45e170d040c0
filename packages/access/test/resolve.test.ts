import { type House, openHouse } from '@keyferry/testing/support/house.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readsOf, type TestReader, testReader } from './harness.ts';

const canary = 'canary-44aa-value';

let house: House;
let reader: TestReader;

beforeAll(async () => {
  house = await openHouse();
  reader = testReader(house);
  const kv = house.vault.kv('secret');
  kv.put('bifrost/one', { value: 'single' });
  kv.put('bifrost/many', { user: 'ops', port: 5432, empty: '' });
  kv.put('bifrost/odd #1%', { 'a#b': 'odd' });
  kv.put('bifrost/empty', { value: '' });
  kv.put('through/many', { user: 'ops', password: 'p' });
  await house.cycle(await house.addBackend());
  await house.addBackend({ mode: 'proxy', sync_paths: ['through/*'] });
});
afterAll(async () => {
  await reader.close();
  await house.close();
});

const resolve = (...references: string[]) => reader.resolve(house.tenantId, references, () => null);
/** Values, and codes of what is not resolved. */
const shown = async (...references: string[]) =>
  (await resolve(...references)).map((item) => ('error' in item ? item.error.code : item.value));

test('each reference has its own outcome, in the order in which they were asked', async () => {
  expect(
    await shown(
      'vault.bifrost/one',
      'vault.bifrost/many#user',
      'vault.bifrost/many#port',
      'vault.bifrost/many',
      'vault.bifrost/odd %231%25#a%23b',
      'vault.through/many#password',
      'sk-plain',
    ),
  ).toEqual(['single', 'ops', '5432', '{"empty":"","port":5432,"user":"ops"}', 'odd', 'p', 'sk-plain']);
});

test('what can’t be resolved is an error that names the reference, and never an empty text', async () => {
  expect(
    await shown(
      'vault.bifrost/none',
      'vault.bifrost/many#none',
      'vault.bifrost/many#empty',
      'vault.bifrost/empty',
      'vault.elsewhere/x',
      'vault.through/none',
    ),
  ).toEqual([
    'key_not_found',
    'field_not_found',
    'reference_unresolved',
    'reference_unresolved',
    'path_unmapped',
    'key_not_found',
  ]);
  const [item] = await resolve('vault.bifrost/many#none');
  expect(item).toEqual({
    reference: 'vault.bifrost/many#none',
    error: {
      code: 'field_not_found',
      message: '"vault.bifrost/many#none" is not resolved. The value of "bifrost/many" has no field "none".',
      action: expect.any(String),
    },
  });
});

test('a variable of the API’s own environment is never told', async () => {
  expect(await resolve('env.PATH')).toEqual([
    {
      reference: 'env.PATH',
      error: {
        code: 'reference_refused',
        message: '"env.PATH" names a variable, which the API doesn’t resolve.',
        action: expect.stringContaining('where the variable is set'),
      },
    },
  ]);
});

test('what only looks like a reference may be a secret, and is in no message', async () => {
  const broken = [
    `env.${canary}`,
    `vault.${canary}#`,
    `vault.${canary}//x`,
    `vault.a/../${canary}`,
    `vault.${canary}#a#b`,
  ];
  for (const item of await resolve(...broken)) {
    if (!('error' in item)) throw new Error('it was resolved');
    expect(item.error.code).toBe('reference_invalid');
    expect(item.error.message).not.toContain(canary);
  }
});

test('many fragments of one secret cost one read, also of many who ask at a time', async () => {
  house.vault.requests.reset();
  const fragments = ['vault.through/many#user', 'vault.through/many#password', 'vault.through/many'];
  await Promise.all([shown(...fragments), shown(...fragments), shown('vault.through/many#user')]);
  expect(readsOf(house)).toHaveLength(1);
});

test('a value that was read before is marked as stale while its vault is away', async () => {
  const fault = house.vault.faults.inject({ effect: { kind: 'status', status: 503 }, path: '*/through/*' });
  expect(await resolve('vault.through/many#user', 'vault.bifrost/one')).toMatchObject([
    { value: 'ops', stale: true },
    { value: 'single', stale: false },
  ]);
  fault.remove();
});
