import { expiryAfter, type Settlement } from '@keyferry/core';
import { type KeyWrite, type StoredKey, valueBinding } from '@keyferry/store';
import type { Written } from '@keyferry/vaults';
import type { DecisionInput, Settled } from './decide.ts';

/** What is to be written of a key, its value encrypted. */
export function writeOf(
  { item, known, id, backend, lifecycle, keys, now, earlier = [] }: DecisionInput,
  { settlement, digest, type, begun }: Settled,
): KeyWrite {
  const { reading } = item;
  const keyId = known?.id ?? id;
  const replaces = settlement.write === 'value';
  const before = known?.version ?? 0;
  const version = versionAfter(settlement, known, earlier.length);
  const value = reading.value.reveal();
  const sealed = (bytes: Buffer, number: number) =>
    keys.seal(bytes, valueBinding(backend.tenant_id, keyId, number)).ciphertext;
  const digests = digestsAfter(settlement, known, digest);
  const expiresAt = expiryAfter(known, settlement, { ...reading, digest: digest.toString('hex') }, now);
  const overlap = known && replaces ? lifecycle.overlapOf(item.local) : 0;
  return {
    id: keyId,
    rowVersion: known?.rowVersion ?? null,
    version,
    remotePath: item.remote,
    localPath: item.local,
    type,
    state: settlement.state,
    contentType: reading.contentType,
    metadata: reading.metadata,
    remoteVersion: reading.version,
    remoteRevision: reading.revision,
    remoteCreatedAt: reading.createdAt,
    ...digests,
    expiresAt,
    ...timesAfter(settlement, { item, known, lifecycle, now, replaces, expiresAt }),
    rolledBack: known?.rolledBack === true && !digests.localDigest.equals(digest),
    tombstone: known?.tombstone === true && !replaces,
    owned: begun?.creates === true,
    ownedFor: begun?.ownedFor ?? null,
    describesValue: replaces || digests.localDigest.equals(digest),
    ciphertext: replaces ? sealed(value, version) : null,
    readableUntil: overlap > 0 ? new Date(now.getTime() + overlap * 1000) : null,
    earlier: earlier.map((old, index) => ({
      version: before + index + 1,
      contentType: old.contentType,
      metadata: old.metadata,
      remoteVersion: old.version,
      remoteCreatedAt: old.createdAt,
      ciphertext: sealed(old.value.reveal(), before + index + 1),
    })),
  };
}

/** The same of a key whose value here was written to the vault just now: both sides have it. */
export function writeOfPushed(input: DecisionInput, settled: Settled, known: StoredKey, written: Written): KeyWrite {
  const { reading } = input.item;
  const remote = { ...reading, digest: settled.digest.toString('hex') };
  const expiresAt = expiryAfter(known, settled.settlement, remote, input.now);
  // Whether the former expiry is that of the new value as well only a reading shows.
  const revision = reading.expiresAt === null ? written.revision : null;
  const item = { ...input.item, reading: { ...reading, version: written.version, revision, expiresAt } };
  const digest = Buffer.from(known.localDigest, 'hex');
  const settlement: Settlement = { ...settled.settlement, write: 'metadata' };
  // What was read of the value before says nothing of this one.
  return { ...writeOf({ ...input, item }, { ...settled, settlement, digest }), describesValue: false };
}

/** The number of the current version after the write, with so many earlier ones stored before it. */
export function versionAfter({ write }: Settlement, known: StoredKey | null, earlier: number): number {
  const before = known?.version ?? 0;
  return write === 'value' ? before + earlier + 1 : before;
}

/** When what is due for the key after the write. */
function timesAfter(
  { state }: Settlement,
  {
    item,
    known,
    lifecycle,
    now,
    replaces,
    expiresAt,
  }: Pick<DecisionInput, 'item' | 'known' | 'lifecycle' | 'now'> & { replaces: boolean; expiresAt: Date | null },
) {
  const { purgeAt, expiryReminderAt, rotationDueAt } = lifecycle.timesOf(
    {
      localPath: item.local,
      state,
      revoked: known?.revoked ?? false,
      stateChangedAt: known && known.state === state ? known.stateChangedAt : now,
      deprecatedAt: state === 'active' ? null : (known?.deprecatedAt ?? null),
      expiresAt,
      valueAt: known && !replaces ? known.valueAt : (item.reading.createdAt ?? now),
      archiveReminderAt: null,
      expiryReminderAt: known?.expiryReminderAt ?? null,
    },
    now,
  );
  return { purgeAt, expiryReminderAt, rotationDueAt };
}

/** Where base, local and remote stand after the write. Base is what both sides last agreed on, or know of each other. */
function digestsAfter({ write }: Settlement, known: StoredKey | null, digest: Buffer) {
  const same = { baseDigest: digest, localDigest: digest, remoteDigest: digest };
  if (known === null || write === 'value') return same;
  const local = Buffer.from(known.localDigest, 'hex');
  if (local.equals(digest)) return same;
  return { baseDigest: digest, localDigest: local, remoteDigest: digest };
}
