import { expect, test } from 'vitest';
import {
  absentDigest,
  type ConflictPolicy,
  conflictPolicies,
  isPushed,
  type KnownKey,
  keptSide,
  type RemoteReading,
  settle,
  settleOwnWrite,
  settleRemoval,
} from '../src/index.ts';

const now = new Date('2026-06-01T12:00:00Z');
const hours = (count: number) => new Date(now.getTime() + count * 3_600_000);

const known: KnownKey = {
  state: 'active',
  revoked: false,
  baseDigest: 'a',
  localDigest: 'a',
  remoteDigest: 'a',
  remoteVersion: '1',
  remoteRevision: '1.x',
  remoteCreatedAt: hours(-10),
  expiresAt: null,
  rolledBack: false,
  missed: false,
  tombstone: false,
  resolution: null,
};
/** What the vault held when the key was last settled. */
const same: RemoteReading = { digest: 'a', version: '1', revision: '1.x', createdAt: hours(-10), expiresAt: null };
const changed: RemoteReading = { digest: 'b', version: '2', revision: '2.x', createdAt: hours(-1), expiresAt: null };

function outcomeOf(key: Partial<KnownKey> | null, remote: RemoteReading, policy: ConflictPolicy = 'backend_wins') {
  const { outcome, write, state } = settle(key && { ...known, ...key }, remote, policy, now);
  return `${outcome}, ${write}, ${state}`;
}

test('a secret that nobody knows is added', () => {
  expect(outcomeOf(null, same)).toBe('added, value, active');
});

test('a secret that has expired before it was first seen is added as expired', () => {
  expect(outcomeOf(null, { ...same, expiresAt: hours(-1) })).toBe('added, value, expired');
});

// design.md, 5. Federation, Conflicts: local and remote digest against the base.
test.each([
  // local, remote, policy, outcome
  ['neither changed', 'a', 'a', 'unchanged, none, active'],
  ['only remote changed: update', 'a', 'b', 'updated, value, active'],
  ['local equals remote, both changed alike: base follows', 'b', 'b', 'unchanged, metadata, active'],
  ['only local changed: ahead', 'b', 'a', 'ahead, none, active'],
])('%s, whatever the policy', (_, local, remote, expected) => {
  for (const policy of conflictPolicies)
    expect(outcomeOf({ localDigest: local }, { ...same, digest: remote }, policy)).toBe(
      // A value that differs makes the digest that is noted differ: that alone is worth a row.
      expected,
    );
});

test.each([
  ['backend_wins', 'updated, value, active'],
  ['local_wins', 'ahead, remote_noted, active'],
  ['manual', 'conflicting, none, active'],
] as const)('both changed: %s', (policy, expected) => {
  expect(outcomeOf({ localDigest: 'c' }, changed, policy)).toBe(expected);
});

test('a remote change that local_wins has noted is no conflict the next time', () => {
  const noted = { localDigest: 'c', baseDigest: 'b', remoteDigest: 'b', remoteVersion: '2', remoteRevision: '2.x' };
  for (const policy of conflictPolicies) expect(outcomeOf(noted, changed, policy)).toBe('ahead, none, active');
});

test.each([
  ['version', { version: '2' }],
  ['revision', { revision: '1.y' }],
  ['expiry', { expiresAt: hours(1) }],
])('the same value with another %s is unchanged, and noted', (_, difference) => {
  expect(outcomeOf({}, { ...same, ...difference })).toBe('unchanged, metadata, active');
});

test.each([
  ['another value', 'b'],
  ['the same value', 'a'],
])('a version older than the stored one, with %s, changes nothing', (_, digest) => {
  const older = { ...same, digest, version: '0', revision: '0.x', createdAt: hours(-11) };
  for (const policy of conflictPolicies) expect(outcomeOf({}, older, policy)).toBe('skipped, none, active');
  expect(outcomeOf({ state: 'deprecated' }, older)).toBe('skipped, none, deprecated');
});

test('a secret that was destroyed and made anew, its version numbers starting again, replaces the old one', () => {
  const recreated = { ...changed, version: '1', revision: '1.z' };
  expect(outcomeOf({ remoteVersion: '7', remoteRevision: '7.x' }, recreated)).toBe('updated, value, active');
  expect(outcomeOf({ remoteVersion: '7', state: 'deprecated' }, recreated)).toBe('restored, value, active');
});

test('a vault that doesn’t say when it made a version is believed', () => {
  expect(outcomeOf({}, { ...changed, createdAt: null })).toBe('updated, value, active');
  expect(outcomeOf({ remoteCreatedAt: null }, { ...changed, createdAt: hours(-100) })).toBe('updated, value, active');
});

test.each(['deprecated', 'archived'] as const)('a key that was %s comes back when it is found', (state) => {
  expect(outcomeOf({ state }, same)).toBe('restored, metadata, active');
  expect(outcomeOf({ state }, changed)).toBe('restored, value, active');
  expect(outcomeOf({ state, localDigest: 'c' }, changed)).toBe('restored, value, active');
});

test('a key that was revoked by hand stays archived, whatever the vault shows', () => {
  const revoked = { state: 'archived', revoked: true } as const;
  expect(outcomeOf(revoked, same)).toBe('unchanged, none, archived');
  expect(outcomeOf(revoked, changed)).toBe('updated, value, archived');
  expect(outcomeOf(revoked, { ...same, expiresAt: hours(1) })).toBe('unchanged, metadata, archived');
  expect(outcomeOf(revoked, { ...same, expiresAt: hours(-1) })).toBe('unchanged, metadata, archived');
});

test.each([
  ['active', hours(-1), 'unchanged, metadata, expired'],
  ['active', now, 'unchanged, metadata, expired'],
  ['active', hours(1), 'unchanged, metadata, active'],
  ['deprecated', hours(-1), 'unchanged, metadata, expired'],
  ['archived', hours(-1), 'unchanged, metadata, expired'],
] as const)('a key that is %s, found with the expiry %s: %s', (state, expiresAt, expected) => {
  expect(outcomeOf({ state }, { ...same, expiresAt })).toBe(expected);
});

test('an expired key that is merely found again stays expired', () => {
  const expired = { state: 'expired', expiresAt: hours(-1) } as const;
  expect(outcomeOf(expired, { ...same, expiresAt: hours(-1) })).toBe('unchanged, none, expired');
});

test.each([
  ['a later expiry', { expiresAt: hours(1) }, 'restored, metadata, active'],
  ['its expiry taken away', { expiresAt: null }, 'restored, metadata, active'],
  ['a new version without an expiry', { ...changed }, 'restored, value, active'],
  ['a new version that has expired too', { ...changed, expiresAt: hours(-0.5) }, 'updated, value, expired'],
])('an expired key with %s: %s', (_, difference, expected) => {
  expect(outcomeOf({ state: 'expired', expiresAt: hours(-1) }, { ...same, ...difference })).toBe(expected);
});

test('a key that is ahead of the vault is not over with the value that the vault still has', () => {
  const ahead = { localDigest: 'l', expiresAt: null };
  expect(outcomeOf(ahead, { ...same, expiresAt: hours(-1) })).toBe('ahead, none, active');
  expect(outcomeOf({ ...ahead, expiresAt: hours(-1), state: 'expired' }, { ...same, expiresAt: hours(-1) })).toBe(
    'ahead, none, expired',
  );
  expect(outcomeOf(ahead, { ...same, expiresAt: hours(1) })).toBe('ahead, metadata, active');
  expect(outcomeOf({ ...ahead, rolledBack: true }, { ...same, expiresAt: hours(-1) })).toBe('ahead, metadata, expired');
});

test('a conflict that waits for a person leaves the key as it is, its state too', () => {
  expect(outcomeOf({ state: 'deprecated', localDigest: 'c' }, changed, 'manual')).toBe('conflicting, none, deprecated');
});

test('an earlier value that a person serves again stays until the vault has another, whatever the policy', () => {
  const rolledBack = { rolledBack: true, localDigest: 'z' };
  for (const policy of conflictPolicies) {
    expect(outcomeOf(rolledBack, same, policy)).toBe('ahead, none, active');
    expect(outcomeOf(rolledBack, changed, policy)).toBe('updated, value, active');
  }
  expect(outcomeOf(rolledBack, { ...changed, digest: 'z' })).toBe('unchanged, metadata, active');
});

test('a key that was noted as gone is noted as found, and otherwise left as it is', () => {
  expect(outcomeOf({ missed: true }, same)).toBe('unchanged, metadata, active');
});

test('a key that is ahead of the vault and found again is restored, with the value it has here', () => {
  const archived = { state: 'archived', localDigest: 'z' } as const;
  expect(outcomeOf({ ...archived, rolledBack: true }, same)).toBe('restored, metadata, active');
  expect(outcomeOf(archived, same)).toBe('restored, metadata, active');
  expect(outcomeOf(archived, changed, 'local_wins')).toBe('restored, remote_noted, active');
});

// design.md, 5. Federation, Conflicts: every case, under backend_wins, local_wins and manual.
const other: RemoteReading = { ...changed, digest: 'b' };
const back = { state: 'archived', tombstone: true } as const;
const onlyHere = {
  localDigest: 'c',
  baseDigest: absentDigest,
  remoteDigest: absentDigest,
  remoteVersion: null,
  remoteRevision: null,
  remoteCreatedAt: null,
};
const said = (keep: 'local' | 'remote', remoteDigest = 'b') => ({ resolution: { keep, remoteDigest } });
type Three = readonly [backendWins: string, localWins: string, manual: string];
const all = (expected: string): Three => [expected, expected, expected];

test.each<[string, Partial<KnownKey>, RemoteReading, Three]>([
  ['nothing changed', {}, same, all('unchanged, none, active')],
  ['only the vault changed', {}, other, all('updated, value, active')],
  ['only here', { localDigest: 'c' }, same, all('ahead, none, active')],
  ['both alike', { localDigest: 'b' }, other, all('unchanged, metadata, active')],
  [
    'both',
    { localDigest: 'c' },
    other,
    ['updated, value, active', 'ahead, remote_noted, active', 'conflicting, none, active'],
  ],
  [
    'only here so far, and the same in the vault by now',
    { ...onlyHere, localDigest: 'b' },
    other,
    all('unchanged, metadata, active'),
  ],
  [
    'only here so far, and another in the vault by now',
    onlyHere,
    other,
    ['updated, value, active', 'ahead, remote_noted, active', 'conflicting, none, active'],
  ],
  ['deleted here, the vault unchanged', back, same, all('ahead, none, archived')],
  [
    'deleted here, the vault changed',
    back,
    other,
    ['restored, value, active', 'ahead, remote_noted, archived', 'conflicting, none, archived'],
  ],
  [
    'deleted here after a change, the vault changed to that value',
    { ...back, localDigest: 'b' },
    other,
    ['restored, value, active', 'ahead, remote_noted, archived', 'conflicting, none, archived'],
  ],
  [
    'rolled back and then deleted here, the vault changed',
    { ...back, localDigest: 'z', rolledBack: true },
    other,
    ['restored, value, active', 'ahead, remote_noted, archived', 'conflicting, none, archived'],
  ],
  ['rolled back, the vault unchanged', { localDigest: 'z', rolledBack: true }, same, all('ahead, none, active')],
  ['rolled back, the vault changed', { localDigest: 'z', rolledBack: true }, other, all('updated, value, active')],
  [
    'revoked, both changed',
    { localDigest: 'c', state: 'archived', revoked: true },
    other,
    ['updated, value, archived', 'ahead, remote_noted, archived', 'conflicting, none, archived'],
  ],
  ['revoked, only here', { localDigest: 'c', state: 'archived', revoked: true }, same, all('ahead, none, archived')],
  [
    'revoked and deleted here, the vault changed',
    { ...back, revoked: true },
    other,
    ['updated, value, archived', 'ahead, remote_noted, archived', 'conflicting, none, archived'],
  ],
  [
    'expired, both changed, the new version without an expiry',
    { localDigest: 'c', state: 'expired', expiresAt: hours(-1) },
    other,
    ['restored, value, active', 'restored, remote_noted, active', 'conflicting, none, expired'],
  ],
  [
    'both changed, and the vault’s has expired',
    { localDigest: 'c' },
    { ...other, expiresAt: hours(-1) },
    ['updated, value, expired', 'ahead, remote_noted, expired', 'conflicting, none, active'],
  ],
  [
    'both, and somebody said: the vault’s',
    { localDigest: 'c', ...said('remote') },
    other,
    all('updated, value, active'),
  ],
  ['both, and somebody said: ours', { localDigest: 'c', ...said('local') }, other, all('ahead, remote_noted, active')],
  [
    'both, and somebody said so of another value',
    { localDigest: 'c', ...said('remote', 'x') },
    other,
    ['updated, value, active', 'ahead, remote_noted, active', 'conflicting, none, active'],
  ],
  [
    'both, and somebody said so of its absence',
    { localDigest: 'c', ...said('local', absentDigest) },
    other,
    ['updated, value, active', 'ahead, remote_noted, active', 'conflicting, none, active'],
  ],
  [
    'deleted here, and somebody said: the vault’s',
    { ...back, ...said('remote') },
    other,
    all('restored, value, active'),
  ],
  [
    'deleted here, and somebody said: it stays deleted',
    { ...back, ...said('local') },
    other,
    all('ahead, remote_noted, archived'),
  ],
  [
    'only here so far, and somebody said: ours',
    { ...onlyHere, ...said('local') },
    other,
    all('ahead, remote_noted, active'),
  ],
  [
    'an older version, both changed',
    { localDigest: 'c' },
    { ...other, createdAt: hours(-11) },
    all('skipped, none, active'),
  ],
])('changed: %s', (_, key, remote, expected) => {
  expect(conflictPolicies.map((policy) => outcomeOf(key, remote, policy))).toEqual(expected);
});

test.each<[string, Partial<KnownKey>, Three]>([
  ['unchanged here', {}, all('goes')],
  ['changed here', { localDigest: 'c' }, ['goes', 'stays', 'conflicting']],
  ['rolled back here', { localDigest: 'c', rolledBack: true }, all('goes')],
  ['only here anyway', onlyHere, all('stays')],
  ['deleted here', back, all('forgotten')],
  ['changed here, and somebody said: ours', { localDigest: 'c', ...said('local', absentDigest) }, all('stays')],
  ['changed here, and somebody said: it goes', { localDigest: 'c', ...said('remote', absentDigest) }, all('goes')],
  [
    'changed here, and somebody said so of a value',
    { localDigest: 'c', ...said('local') },
    ['goes', 'stays', 'conflicting'],
  ],
])('gone from the vault: %s', (_, key, expected) => {
  expect(conflictPolicies.map((policy) => settleRemoval({ ...known, ...key }, policy))).toEqual(expected);
});

test.each<[string, Partial<KnownKey>, RemoteReading, Three]>([
  ['both changed', { localDigest: 'c' }, other, ['remote', 'local', 'null']],
  ['both changed alike', { localDigest: 'b' }, other, all('both')],
  ['only here', { localDigest: 'c' }, same, all('local')],
  ['deleted here, the vault changed', back, other, ['remote', 'local', 'null']],
  ['an older version', { localDigest: 'c' }, { ...other, createdAt: hours(-11) }, all('null')],
])('the side that is kept: %s', (_, key, remote, expected) => {
  const one = { ...known, ...key };
  const kept = (policy: ConflictPolicy) => String(keptSide(one, settle(one, remote, policy, now), remote.digest));
  expect(conflictPolicies.map(kept)).toEqual(expected);
});

test.each<[string, Partial<KnownKey>, RemoteReading, readonly [boolean, boolean, boolean]]>([
  ['only here', { localDigest: 'c' }, same, [true, true, true]],
  ['both', { localDigest: 'c' }, other, [false, true, false]],
  ['neither', {}, same, [false, false, false]],
  ['both alike', { localDigest: 'b' }, other, [false, false, false]],
  ['deleted here', back, same, [false, false, false]],
  ['rolled back', { localDigest: 'c', rolledBack: true }, same, [false, false, false]],
  ['revoked', { localDigest: 'c', state: 'archived', revoked: true }, same, [false, false, false]],
  [
    'expired',
    { localDigest: 'c', state: 'expired', expiresAt: hours(-1) },
    { ...same, expiresAt: hours(-1) },
    [false, false, false],
  ],
  ['deprecated, and found again', { localDigest: 'c', state: 'deprecated' }, same, [true, true, true]],
])('written to the vault under backend_wins, local_wins and manual: changed %s', (_, key, remote, expected) => {
  const one = { ...known, ...key };
  const pushed = (policy: ConflictPolicy) => isPushed(one, settle(one, remote, policy, now), remote.digest);
  expect(conflictPolicies.map(pushed)).toEqual(expected);
});

test.each<[string, Partial<KnownKey> | null, RemoteReading, string]>([
  ['nobody knows', null, other, 'added, value, active'],
  ['had another value', {}, other, 'updated, value, active'],
  ['had been changed to another value', { localDigest: 'c' }, other, 'updated, value, active'],
  ['had that value here', { localDigest: 'b' }, other, 'unchanged, metadata, active'],
  ['was deleted here', back, other, 'restored, value, active'],
  ['was deprecated', { state: 'deprecated' }, other, 'restored, value, active'],
  ['had expired', { state: 'expired', expiresAt: hours(-1) }, other, 'restored, value, active'],
  ['is revoked', { state: 'archived', revoked: true }, other, 'updated, value, archived'],
  ['has expired in the vault', {}, { ...other, expiresAt: hours(-1) }, 'updated, value, expired'],
])('a write of ours that was not stored, to a key that %s', (_, key, remote, expected) => {
  const { outcome, write, state } = settleOwnWrite(key && { ...known, ...key }, remote, now);
  expect(`${outcome}, ${write}, ${state}`).toBe(expected);
});
