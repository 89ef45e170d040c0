import { addsUp, type CycleCounts } from '@keyferry/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

test('keys are added, changed, deprecated when deleted, and restored when they come back', async () => {
  const secrets = house.vault.kv('secret');
  for (const name of ['a', 'b', 'c', 'd']) secrets.put(`bifrost/${name}`, { value: `${name}-1` });
  const backend = await house.addBackend();

  const first = await house.cycle(backend);
  expect(first).toMatchObject({ state: 'completed', counts: { discovered: 4, added: 4 } });
  expect(await house.value('bifrost/a')).toBe('{"value":"a-1"}');

  secrets.put('bifrost/a', { value: 'a-2' });
  secrets.deleteMetadata('bifrost/b');
  const second = await house.cycle(backend);
  expect(second).toMatchObject({
    state: 'completed',
    counts: { discovered: 3, updated: 1, unchanged: 2, deprecated: 1 },
  });
  expect(await house.value('bifrost/a')).toBe('{"value":"a-2"}');
  expect(await house.states()).toMatchObject({ 'bifrost/b': 'deprecated', 'bifrost/a': 'active' });

  secrets.put('bifrost/b', { value: 'b-again' });
  const third = await house.cycle(backend);
  expect(third.counts).toMatchObject({ discovered: 4, restored: 1, unchanged: 3 });
  expect(await house.states()).toMatchObject({ 'bifrost/b': 'active' });
  expect(addsUp(third.counts as CycleCounts)).toBe(true);
});
