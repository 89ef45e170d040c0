import fc from 'fast-check';
import { expect, test } from 'vitest';
import { catchUpWindow, nextDue, nextSlot, phaseOf } from '../src/index.ts';

const moment = fc.integer({ min: 0, max: Date.UTC(2100, 0) });
const interval = fc.integer({ min: 5, max: 604_800 });
const phase = fc.integer({ min: 0, max: 0x7fffffff });

test('a phase depends on the id alone, and is a whole number that Postgres’ integer holds', () => {
  expect(phaseOf('a')).toBe(phaseOf('a'));
  // The published FNV-1a hash of "a" is 0xe40c292c; its top bit is dropped.
  expect(phaseOf('a')).toBe(0x640c292c);
  fc.assert(
    fc.property(fc.string(), (id) => {
      expect(phaseOf(id)).toBeGreaterThanOrEqual(0);
      expect(phaseOf(id)).toBeLessThan(2 ** 31);
      expect(Number.isInteger(phaseOf(id))).toBe(true);
    }),
  );
});

test('ids spread evenly over an interval', () => {
  const slots = Array.from({ length: 10 }, () => 0);
  for (let id = 0; id < 5_000; id++) {
    const slot = Math.floor((phaseOf(`backend-${id}`) % 300_000) / 30_000);
    slots[slot] = (slots[slot] as number) + 1;
  }
  for (const count of slots) expect(count).toBeGreaterThan(400);
});

test('the next slot is later than now, no more than an interval away, and always at the same place in it', () => {
  fc.assert(
    fc.property(moment, interval, phase, (now, seconds, place) => {
      const slot = nextSlot(now, seconds, place);
      expect(slot).toBeGreaterThan(now);
      expect(slot).toBeLessThanOrEqual(now + seconds * 1000);
      expect(slot % (seconds * 1000)).toBe(place % (seconds * 1000));
      expect(nextSlot(slot, seconds, place)).toBe(slot + seconds * 1000);
    }),
  );
});

test('a slot that is now is over', () => {
  expect(nextSlot(60_000, 60, 0)).toBe(120_000);
  expect(nextSlot(59_999, 60, 0)).toBe(60_000);
});

test.each([
  [5, 5],
  [300, 300],
  [301, 300],
  [604_800, 300],
])('what was missed at an interval of %d s is spread over %d s', (seconds, window) => {
  expect(catchUpWindow(seconds)).toBe(window);
});

test('a backend that answers is due at its slot', () => {
  fc.assert(
    fc.property(moment, interval, phase, (now, intervalSeconds, place) => {
      const due = nextDue({ now, intervalSeconds, phase: place, connectionFailures: 0 });
      expect(due).toBe(nextSlot(now, intervalSeconds, place));
    }),
  );
});

test.each([
  // interval, failures in a row, least wait in seconds
  [10, 1, 20],
  [10, 2, 40],
  [10, 4, 160],
  [10, 5, 300],
  [10, 1_000_000, 300],
  [300, 1, 300],
  [200, 1, 300],
  [3600, 3, 3600],
])('at an interval of %d s, after %d failures in a row, a backend waits %d s', (intervalSeconds, failures, wait) => {
  const now = Date.UTC(2026, 0, 1);
  const due = nextDue({ now, intervalSeconds, phase: 0, connectionFailures: failures });
  expect((due - now) / 1000).toBe(wait);
});

test('however often it failed, a backend is asked again within five minutes or its interval, and never sooner than planned', () => {
  fc.assert(
    fc.property(moment, interval, phase, fc.nat(), (now, intervalSeconds, place, connectionFailures) => {
      const due = nextDue({ now, intervalSeconds, phase: place, connectionFailures });
      expect(due).toBeLessThanOrEqual(now + Math.max(intervalSeconds, 300) * 1000);
      expect(due).toBeGreaterThanOrEqual(nextSlot(now, intervalSeconds, place));
    }),
  );
});
