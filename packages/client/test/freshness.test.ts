import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTold, validUntil } from '../src/freshness.ts';

const never = Number.NEGATIVE_INFINITY;

test.each([
  ['long after the last change: for its whole time', 10_000, 5_000, 70_000],
  ['before it changed: not at all', 4_999, 5_000, never],
  ['just after it changed: until every process of Keyferry has noticed', 5_500, 5_000, 7_000],
  ['when nothing was ever told to have changed: for its whole time', 10_000, never, 70_000],
])('a value that was asked for %s', (_, askedAt, changedAt, until) => {
  expect(validUntil(askedAt, changedAt, 60_000)).toBe(until);
});

test('a process that lags by up to two seconds is never believed beyond what it may have missed', () => {
  const time = fc.integer({ min: 0, max: 20_000 });
  fc.assert(
    fc.property(time, time, time, (askedAt, changedAt, lag) => {
      // It answers as it was `lag` before: it has missed the change if that was later.
      const missed = askedAt - Math.min(lag, 2_000) < changedAt;
      const until = validUntil(askedAt, changedAt, 60_000);
      expect(until).toBeLessThanOrEqual(missed ? changedAt + 2_000 : askedAt + 60_000);
    }),
  );
});

test('what was told is known for as long as it makes a difference', () => {
  const told = createTold();
  expect(told.lastOf('a')).toBe(never);
  told.all(1_000);
  told.paths(['a'], 2_000);
  expect([told.lastOf('a'), told.lastOf('b')]).toEqual([2_000, 1_000]);
  // A reading that began within two seconds of it may take twenty.
  told.forget(24_000);
  expect(told.lastOf('a')).toBe(2_000);
  told.forget(24_001);
  expect(told.lastOf('a')).toBe(1_000);
});
