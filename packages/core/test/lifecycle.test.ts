import { expect, test } from 'vitest';
import { isServed, type KeyEvent, type KeyState, keyStates, nextState, statesLeftBy } from '../src/index.ts';

const events: KeyEvent[] = [
  'found',
  'removed',
  'leftScope',
  'restored',
  'graceOver',
  'expiryPassed',
  'renewed',
  'backendRemoved',
  'written',
  'deletedHere',
  'revoked',
  'retentionOver',
];

/** Every state and event: design.md's table, written out once more. A dot is "stays as it is". */
const table: Record<KeyState, Record<KeyEvent, KeyState | 'purged' | '.'>> = {
  active: {
    found: '.',
    removed: 'deprecated',
    leftScope: 'deprecated',
    restored: '.',
    graceOver: '.',
    expiryPassed: 'expired',
    renewed: '.',
    backendRemoved: 'archived',
    written: '.',
    deletedHere: 'archived',
    revoked: 'archived',
    retentionOver: '.',
  },
  deprecated: {
    found: 'active',
    removed: '.',
    leftScope: '.',
    restored: 'active',
    graceOver: 'archived',
    expiryPassed: 'expired',
    renewed: '.',
    backendRemoved: 'archived',
    written: 'active',
    deletedHere: 'archived',
    revoked: 'archived',
    retentionOver: '.',
  },
  archived: {
    found: 'active',
    removed: '.',
    leftScope: '.',
    restored: 'active',
    graceOver: '.',
    expiryPassed: '.',
    renewed: '.',
    backendRemoved: '.',
    written: 'active',
    deletedHere: '.',
    revoked: '.',
    retentionOver: 'purged',
  },
  expired: {
    found: '.',
    removed: '.',
    leftScope: '.',
    restored: '.',
    graceOver: '.',
    expiryPassed: '.',
    renewed: 'active',
    backendRemoved: '.',
    written: 'active',
    deletedHere: 'archived',
    revoked: 'archived',
    retentionOver: 'purged',
  },
};

const cells = keyStates.flatMap((state) => events.map((event) => [state, event, table[state][event]] as const));

test.each(cells)('%s, %s: %s', (state, event, expected) => {
  expect(nextState({ state, revoked: false }, event)).toBe(expected === '.' ? state : expected);
});

test.each(events)('a revoked key stays archived at %s', (event) => {
  expect(nextState({ state: 'archived', revoked: true }, event)).toBe('archived');
});

test.each(events)('a statement for %s selects exactly the states that it moves', (event) => {
  const moved = keyStates.filter((state) => nextState({ state, revoked: false }, event) !== state);
  expect(statesLeftBy(event)).toEqual(moved);
});

test.each([
  ['active', null, true],
  ['deprecated', null, true],
  ['archived', null, false],
  ['expired', null, false],
  ['active', 1, true],
  ['active', 0, false], // its very moment
  ['deprecated', -1, false], // before the sweep has come by
] as const)('%s, with %s ms to its expiry: served is %s', (state, leftMs, served) => {
  const now = new Date('2026-01-01T00:00:00Z');
  const expiresAt = leftMs === null ? null : new Date(now.getTime() + leftMs);
  expect(isServed({ state, expiresAt }, now)).toBe(served);
});
