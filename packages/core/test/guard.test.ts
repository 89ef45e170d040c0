import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMassLoss, type LossEstimate } from '../src/index.ts';

const usual = { percent: 20, atLeast: 10 };
const isHeld = (estimate: LossEstimate) => isMassLoss(estimate, usual);

test.each([
  // candidates, gone lately, keys, held
  [0, 0, 0, false],
  [0, 0, 100, false],
  [0, 90, 100, false], // nothing would go now
  // over 20% and at least 10
  [10, 0, 50, false], // exactly 20%
  [10, 0, 49, true],
  [11, 0, 50, true],
  [9, 0, 30, false], // 30%, but fewer than 10
  [200, 0, 1000, false],
  [201, 0, 1000, true],
  // over half and at least 2
  [1, 0, 1, false], // one key may go
  [2, 0, 2, true],
  [2, 0, 3, true],
  [2, 0, 4, false], // exactly half
  [3, 0, 5, true],
  [9, 0, 9, true],
  [9, 0, 18, false],
  // small bites add up over a day
  [1, 1, 3, true],
  [1, 1, 4, false],
  [5, 5, 49, true],
  [5, 5, 50, false],
  [1, 200, 1000, true],
])('%d candidates after %d that went lately, of %d keys: held is %s', (candidates, goneLately, keys, held) => {
  expect(isHeld({ candidates, goneLately, keys })).toBe(held);
});

test('with more candidates a held cycle stays held, and with more keys a passed one passes', () => {
  const estimate = fc.record({ candidates: fc.nat(200), goneLately: fc.nat(200), others: fc.nat(400) });
  fc.assert(
    fc.property(estimate, ({ candidates, goneLately, others }) => {
      const keys = candidates + goneLately + others;
      const held = isHeld({ candidates, goneLately, keys });
      if (held) expect(isHeld({ candidates: candidates + 1, goneLately, keys: keys + 1 })).toBe(true);
      else expect(isHeld({ candidates, goneLately, keys: keys + 1 })).toBe(false);
    }),
  );
});

test('all of two or more keys never go at once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 100_000 }), (keys) => {
      expect(isHeld({ candidates: keys, goneLately: 0, keys })).toBe(true);
    }),
  );
});

test('a backend’s own threshold holds sooner or later, and half is too much whatever it says', () => {
  const estimate = { candidates: 30, goneLately: 0, keys: 100 };
  expect(isMassLoss(estimate, { percent: 50, atLeast: 10 })).toBe(false);
  expect(isMassLoss(estimate, { percent: 20, atLeast: 31 })).toBe(false);
  expect(isMassLoss(estimate, { percent: 1, atLeast: 2 })).toBe(true);
  expect(isMassLoss({ ...estimate, candidates: 51 }, { percent: 50, atLeast: 1_000 })).toBe(true);
});
