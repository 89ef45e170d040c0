import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addsUp, emptyCounts, issueOutcomes, issuesOf, outcomes } from '../src/index.ts';

test('counts start at nothing, and add up', () => {
  expect(Object.values(emptyCounts()).every((count) => count === 0)).toBe(true);
  expect(addsUp(emptyCounts())).toBe(true);
});

test('a cycle adds up only if every discovered secret has one outcome', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...outcomes)), (all) => {
      const counts = { ...emptyCounts(), discovered: all.length };
      for (const outcome of all) counts[outcome]++;
      expect(addsUp(counts)).toBe(true);
      expect(addsUp({ ...counts, discovered: all.length + 1 })).toBe(false);
      // Keys that the listing did not bring are counted beside.
      expect(addsUp({ ...counts, deprecated: 3, held: 2 })).toBe(true);
    }),
  );
});

test('what a person should look at makes issues', () => {
  expect(issueOutcomes).toEqual(['conflicting', 'invalid', 'skipped', 'failed']);
  expect(issuesOf({ ...emptyCounts(), conflicting: 1, invalid: 2, skipped: 4, failed: 8, unconfirmed: 16 })).toBe(31);
  expect(issuesOf({ ...emptyCounts(), added: 5, gone: 5, unchanged: 5, ahead: 5, held: 5 })).toBe(0);
});
