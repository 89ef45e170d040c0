import type { AccessMode, WriteMode } from './federation.ts';
import type { KeyState } from './lifecycle.ts';
import { nextState } from './lifecycle.ts';
import type { Outcome } from './outcome.ts';

/** What to do with one secret that was read: a pure decision between what is stored and what the vault holds. */

export const conflictPolicies = ['backend_wins', 'local_wins', 'manual'] as const;
export type ConflictPolicy = (typeof conflictPolicies)[number];

/** The digest of a side that has nothing: a secret that the vault lacks, or a base that never was. */
export const absentDigest = '';

/** What a person said to a conflict, and the vault's digest that they saw: of anything else they did not speak. */
export interface ConflictResolution {
  keep: 'local' | 'remote';
  remoteDigest: string;
}

/** The stored side. Digests are keyed, in hex; base is what both sides last agreed on. */
export interface KnownKey {
  state: KeyState;
  revoked: boolean;
  baseDigest: string;
  localDigest: string;
  remoteDigest: string;
  remoteVersion: string | null;
  remoteRevision: string | null;
  /** When the vault made the stored version. */
  remoteCreatedAt: Date | null;
  expiresAt: Date | null;
  /** An earlier value is served by a person's word, until the vault has another than it had then. */
  rolledBack: boolean;
  /** Noted as gone from the vault, though it stays. */
  missed: boolean;
  /** Deleted here, and not in the vault. */
  tombstone: boolean;
  /** Null where there is no conflict, or nobody has spoken yet. */
  resolution: ConflictResolution | null;
}

/** The vault's side. */
export interface RemoteReading {
  digest: string;
  version: string | null;
  revision: string | null;
  createdAt: Date | null;
  expiresAt: Date | null;
}

export type Write =
  | 'none' // nothing differs: no row is written
  | 'metadata' // version, revision, expiry or state changes, the value does not
  | 'remote_noted' // the remote digest is noted, the local value stays
  | 'value'; // the vault's value becomes the current version

export interface Settlement {
  outcome: Outcome;
  write: Write;
  state: KeyState;
}

/**
 * Three-way by digests. An older remote version never replaces a newer one, and is skipped: a vault says when it made a
 * version, so a secret that was destroyed and made anew, whose numbers start again, is not taken for an older one.
 */
export function settle(known: KnownKey | null, remote: RemoteReading, policy: ConflictPolicy, now: Date): Settlement {
  if (known === null)
    return { outcome: 'added', write: 'value', state: hasPassed(remote.expiresAt, now) ? 'expired' : 'active' };
  if (isOlder(remote, known)) return { outcome: 'skipped', write: 'none', state: known.state };

  const changedRemotely = remote.digest !== known.baseDigest;
  const local = known.tombstone ? absentDigest : known.localDigest;
  const changedLocally = local !== known.baseDigest;
  const wins = changedLocally && changedRemotely ? policyFor(known, remote, policy) : policy;
  // What was deleted here stays so, unless the vault's value takes its place.
  const takesRemote = changedRemotely && (!changedLocally || wins === 'backend_wins');
  const expiresAt = takesRemote || remote.digest === local ? remote.expiresAt : expiryBeside(known, remote, now);
  const found = { ...remote, expiresAt };
  const state = known.tombstone && !takesRemote ? known.state : stateOf(known, found, hasPassed(expiresAt, now));
  const moved = state !== known.state;
  const restored = moved && state === 'active';
  const metadata = metadataDiffers(known, found) || moved || known.missed ? 'metadata' : 'none';

  if (remote.digest === local)
    return {
      outcome: restored ? 'restored' : 'unchanged',
      write: changedLocally || changedRemotely || known.rolledBack ? 'metadata' : metadata,
      state,
    };
  if (!changedLocally) return { outcome: restored ? 'restored' : 'updated', write: 'value', state };
  if (!changedRemotely) return { outcome: restored ? 'restored' : 'ahead', write: metadata, state };
  switch (wins) {
    case 'backend_wins':
      return { outcome: restored ? 'restored' : 'updated', write: 'value', state };
    case 'local_wins':
      return { outcome: restored ? 'restored' : 'ahead', write: 'remote_noted', state };
    case 'manual':
      return { outcome: 'conflicting', write: 'none', state: known.state };
  }
}

const hasPassed = (time: Date | null, now: Date): boolean => time !== null && time <= now;

/**
 * When a value that was written here is over. That the vault's expiry has passed says nothing of it, where the vault still has
 * the value of before.
 */
function expiryBeside(
  known: KnownKey,
  { digest, expiresAt }: Pick<RemoteReading, 'digest' | 'expiresAt'>,
  now: Date,
): Date | null {
  const isOwn = !known.rolledBack && !known.tombstone && known.localDigest !== known.baseDigest;
  return isOwn && digest === known.baseDigest && hasPassed(expiresAt, now) ? known.expiresAt : expiresAt;
}

/** When a key is over after it was settled. */
export function expiryAfter(
  known: KnownKey | null,
  settlement: Settlement,
  remote: Pick<RemoteReading, 'digest' | 'expiresAt'>,
  now: Date,
): Date | null {
  const keepsOwn = known !== null && keptSide(known, settlement, remote.digest) === 'local';
  return keepsOwn ? expiryBeside(known, remote, now) : remote.expiresAt;
}

/** Where both sides have changed. A rollback is no value of its own: whatever else the vault has next takes its place. */
function policyFor(known: KnownKey, remote: RemoteReading, policy: ConflictPolicy): ConflictPolicy {
  if (known.rolledBack && !known.tombstone) return 'backend_wins';
  if (known.resolution?.remoteDigest !== remote.digest) return policy;
  return known.resolution.keep === 'remote' ? 'backend_wins' : 'local_wins';
}

/** Which side a settlement has kept; null where nothing is settled: in conflict, or older than what is stored. */
export function keptSide(
  known: Pick<KnownKey, 'localDigest' | 'tombstone'>,
  { outcome, write }: Settlement,
  remoteDigest: string,
): 'local' | 'remote' | 'both' | null {
  if (outcome === 'conflicting' || outcome === 'skipped') return null;
  if (write === 'value') return 'remote';
  return known.localDigest === remoteDigest && !known.tombstone ? 'both' : 'local';
}

/**
 * What becomes of a key whose vault holds exactly what Keyferry wrote there itself, though the process that did has not lived to
 * store it: what the write would have made of it.
 */
export function settleOwnWrite(known: KnownKey | null, remote: RemoteReading, now: Date): Settlement {
  const expired = remote.expiresAt !== null && remote.expiresAt <= now;
  if (known === null) return { outcome: 'added', write: 'value', state: expired ? 'expired' : 'active' };
  const written = nextState(known, 'written') as KeyState;
  const state = expired && !known.revoked ? 'expired' : written;
  const has = known.localDigest === remote.digest && !known.tombstone;
  const restored = state === 'active' && known.state !== 'active';
  const outcome = restored ? 'restored' : has ? 'unchanged' : 'updated';
  return { outcome, write: has ? 'metadata' : 'value', state };
}

/** Whether cycles write to a vault what was changed here. */
export const pushes = (backend: { access_mode: AccessMode; writes: WriteMode }): boolean =>
  backend.access_mode === 'read_and_write' && backend.writes === 'write_through';

/**
 * Whether a key's value here is to be written to a vault that lacks it: it is served, it is nobody's rollback, and no conflict
 * is left. `after` is how it was settled with what the vault has.
 */
export function isPushed(known: KnownKey, after: Settlement, remoteDigest: string): boolean {
  return (
    keptSide(known, after, remoteDigest) === 'local' &&
    !known.tombstone &&
    !known.rolledBack &&
    !known.revoked &&
    after.state === 'active'
  );
}

export type Removal =
  | 'goes' // along the lifecycle: deprecated
  | 'stays' // as a value that is only here
  | 'conflicting' // flagged, and served as it was
  | 'forgotten'; // deleted on both sides: nothing is left to be remembered

/** What becomes of a key whose secret was proven gone from the vault. */
export function settleRemoval(
  known: Pick<KnownKey, 'baseDigest' | 'localDigest' | 'rolledBack' | 'tombstone' | 'resolution'>,
  policy: ConflictPolicy,
): Removal {
  if (known.tombstone) return 'forgotten';
  // The vault never had it.
  if (known.baseDigest === absentDigest) return 'stays';
  if (known.localDigest === known.baseDigest || known.rolledBack) return 'goes';
  const { resolution } = known;
  const wins =
    resolution?.remoteDigest === absentDigest ? (resolution.keep === 'remote' ? 'backend_wins' : 'local_wins') : policy;
  switch (wins) {
    case 'backend_wins':
      return 'goes';
    case 'local_wins':
      return 'stays';
    case 'manual':
      return 'conflicting';
  }
}

function stateOf(known: KnownKey, remote: RemoteReading, expired: boolean): KeyState {
  if (known.revoked) return 'archived';
  if (known.state === 'expired') return !expired && isRenewal(known, remote) ? 'active' : 'expired';
  const found = nextState(known, 'found') as KeyState;
  return expired ? 'expired' : found;
}

function isRenewal(known: KnownKey, remote: RemoteReading): boolean {
  const later = known.expiresAt !== null && (remote.expiresAt === null || remote.expiresAt > known.expiresAt);
  return later || remote.version !== known.remoteVersion || remote.digest !== known.remoteDigest;
}

/** The version that is stored is not older than itself, however its time is told. */
function isOlder(remote: RemoteReading, known: KnownKey): boolean {
  if (remote.version !== null && remote.version === known.remoteVersion && remote.digest === known.remoteDigest)
    return false;
  return remote.createdAt !== null && known.remoteCreatedAt !== null && remote.createdAt < known.remoteCreatedAt;
}

function metadataDiffers(known: KnownKey, remote: RemoteReading): boolean {
  return (
    remote.revision !== known.remoteRevision ||
    remote.version !== known.remoteVersion ||
    remote.digest !== known.remoteDigest ||
    remote.expiresAt?.getTime() !== known.expiresAt?.getTime()
  );
}
