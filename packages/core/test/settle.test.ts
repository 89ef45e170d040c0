import { expect, test } from 'vitest';
import { type ConflictPolicy, conflictPolicies, type KnownKey, type RemoteReading, settle } from '../src/index.ts';

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
