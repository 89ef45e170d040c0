import { type House, openHouse } from '@keyferry/testing/support/house.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Change } from '../src/index.ts';
import { disposable, readsOf, type TestReader, testReader } from './harness.ts';

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

describe('what is in memory', () => {
  const proxied = async () => {
    put('bifrost/a', 'one');
    await house.addBackend({ mode: 'proxy', cache_ttl_seconds: 3600 });
    await reader.text('bifrost/a');
    put('bifrost/a', 'two');
  };

  test('is gone with a flush, and of one path when it is to be forgotten', async () => {
    await proxied();
    expect(await reader.text('bifrost/a')).toBe('one');
    reader.forget(house.tenantId, ['bifrost/b']);
    expect(await reader.text('bifrost/a')).toBe('one');
    reader.forget(house.tenantId, ['bifrost/a']);
    expect(await reader.text('bifrost/a')).toBe('two');
    put('bifrost/a', 'three');
    reader.flush(house.tenantId);
    expect(await reader.text('bifrost/a')).toBe('three');
  });

  test('takes no more than it may, and what was used longest ago goes first', async () => {
    await reader.close();
    reader = testReader(house, { maxBytes: 2_000 });
    await house.addBackend({ mode: 'proxy', cache_ttl_seconds: 3600 });
    for (const name of ['a', 'b', 'c', 'd']) {
      put(`bifrost/${name}`, 'x'.repeat(50));
      await reader.text(`bifrost/${name}`);
    }
    house.vault.requests.reset();
    await reader.text('bifrost/d');
    expect(readsOf(house)).toEqual([]);
    await reader.text('bifrost/a');
    expect(readsOf(house)).toHaveLength(1);
  });

  test('is compared with the vault now and then: others are dropped, and told of', async () => {
    await proxied();
    put('bifrost/same', 'one');
    await reader.text('bifrost/same');
    const told: Change[] = [];
    const following = await reader.follow(house.tenantId, (change) => told.push(change));
    await reader.checkHeld();
    following.stop();
    expect(told).toEqual([{ type: 'changed', paths: ['bifrost/a'] }]);
    house.vault.requests.reset();
    expect([await reader.text('bifrost/a'), await reader.text('bifrost/same')]).toEqual(['two', 'one']);
    expect(readsOf(house)).toHaveLength(1);
  });

  test('stays as it is where the vault can’t be asked whether it is another by now', async () => {
    await proxied();
    using _fault = disposable(house.vault.faults.inject({ effect: { kind: 'status', status: 503 } }));
    await reader.checkHeld();
    expect(await reader.text('bifrost/a')).toBe('one');
  });
});
