import fc from 'fast-check';
import { afterAll, beforeAll, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { lives } from './life-model/commands.ts';
import { Model } from './life-model/model.ts';
import { System } from './life-model/system.ts';

/** Random lives of keys, in the real store and against the emulator, held against a small reference after every step. */

const full = process.env.KEYFERRY_TEST_FULL === '1';
const lifetimes = full ? 1_000 : 50;

let house: House;
beforeAll(async () => {
  house = await openHouse();
  await house.stopWorkers();
});
afterAll(() => house.close());

test(`${lifetimes} lives of keys go as the reference says`, { timeout: full ? 3_600_000 : 600_000 }, async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(lives, async (commands) => {
      const system = await System.open(house, ++count);
      const model = new Model(house.clock.now().getTime());
      await fc.asyncModelRun(() => ({ model, real: system }), commands);
      await house.clear();
    }),
    { numRuns: lifetimes, endOnFailure: true },
  );
});
