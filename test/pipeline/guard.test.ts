import { approveHeld } from '@keyferry/pipeline';
import { heldKeys, listHolds } from '@keyferry/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

/** Invariant 2: no mass loss. */

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

async function backendWith(count: number) {
  const secrets = house.vault.kv('secret');
  for (let index = 1; index <= count; index++) secrets.put(`bifrost/k${index}`, { value: `${index}` });
  const backend = await house.addBackend();
  await house.cycle(backend);
  const remove = (from: number, to: number) => {
    for (let index = from; index <= to; index++) secrets.deleteMetadata(`bifrost/k${index}`);
  };
  return { backend, secrets, remove };
}

const openHolds = () => house.read((tx) => listHolds(tx, { limit: 10 }));

test('9 of 9 keys gone: held, told of once, and nothing is asked of the vault for them', async () => {
  const { backend, remove } = await backendWith(9);
  remove(1, 9);
  house.vault.requests.reset();
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', counts: { held: 9, deprecated: 0 } });
  expect(cycle.calls.confirm).toBeUndefined();
  expect(new Set(Object.values(await house.states()))).toEqual(new Set(['active']));

  await house.cycle(backend);
  const [hold, ...others] = await openHolds();
  expect(others).toEqual([]);
  expect(hold).toMatchObject({ state: 'open', candidates: 9, keys: 9 });
  expect(await house.read((tx) => heldKeys(tx, hold?.id ?? '', 100))).toHaveLength(9);
  const told = await house.events('deprecation.held');
  expect(told).toHaveLength(1);
  expect(told[0]?.data).toMatchObject({ hold_id: hold?.id, candidates: 9, keys: 9 });
});

test('one key of one may go, and so may nine of forty-five', async () => {
  const { backend, remove } = await backendWith(45);
  remove(1, 9);
  expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 9, held: 0 });
});

test('ten of forty-five are held', async () => {
  const { backend, remove } = await backendWith(45);
  remove(1, 10);
  expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 0, held: 10 });
});

test('small bites add up over a day', async () => {
  const { backend, remove } = await backendWith(45);
  remove(1, 6);
  expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 6 });
  remove(7, 12);
  expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 0, held: 6 });
  // A person was asked: that a day has passed is no answer.
  house.clock.advance(25 * 3600);
  expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 0, held: 6 });
});

test('an approval lets exactly the listed keys go, and everything is proven again', async () => {
  const { backend, secrets, remove } = await backendWith(9);
  remove(1, 9);
  await house.cycle(backend);
  const [hold] = await openHolds();
  // One comes back before the word is given, and one that the hold did not list has gone as well.
  secrets.put('bifrost/k1', { value: '1' });

  const { cycle } = await approveHeld(house.services, { tenantId: house.tenantId, holdId: hold?.id ?? '', by: 'ann' });
  const ended = await house.ended(cycle?.id ?? '');

  expect(ended.counts).toMatchObject({ deprecated: 8, held: 0, unchanged: 1 });
  expect(await house.states()).toMatchObject({ 'bifrost/k1': 'active', 'bifrost/k2': 'deprecated' });
  expect(await openHolds()).toEqual([]);
});

test('keys that went missing after the hold was opened need a word of their own', async () => {
  const { backend, remove } = await backendWith(10);
  remove(1, 6);
  await house.cycle(backend);
  const [hold] = await openHolds();
  remove(7, 10);
  house.clock.advance(1);
  const { cycle } = await approveHeld(house.services, { tenantId: house.tenantId, holdId: hold?.id ?? '', by: 'ann' });
  expect((await house.ended(cycle?.id ?? '')).counts).toMatchObject({ deprecated: 6, held: 4 });
  expect(await openHolds()).toMatchObject([{ candidates: 4 }]);
});

test('a listing that shrinks and comes back by itself ends the hold', async () => {
  const { backend, secrets, remove } = await backendWith(9);
  remove(1, 9);
  await house.cycle(backend);
  expect(await openHolds()).toHaveLength(1);
  for (let index = 1; index <= 9; index++) secrets.put(`bifrost/k${index}`, { value: `${index}` });
  await house.cycle(backend);
  expect(await openHolds()).toEqual([]);
});

test('a hold can be approved once', async () => {
  const { backend, remove } = await backendWith(4);
  remove(1, 4);
  await house.cycle(backend);
  const [hold] = await openHolds();
  const approve = () => approveHeld(house.services, { tenantId: house.tenantId, holdId: hold?.id ?? '', by: 'ann' });
  const { cycle } = await approve();
  await house.ended(cycle?.id ?? '');
  await expect(approve()).rejects.toMatchObject({ code: 'hold_over' });
});
