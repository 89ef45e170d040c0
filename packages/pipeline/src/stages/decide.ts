import { keyTypeOf, type Outcome, type RemoteReading, type Settlement, settle } from '@keyferry/core';
import {
  type Backend,
  type Issue,
  type KeyWrite,
  type StoredKey,
  type TenantKeys,
  valueBinding,
} from '@keyferry/store';
import type { SecretReading } from '@keyferry/vaults';
import type { Reading } from './commit-part.ts';

/** Twice what Vault takes, and more than any other vault does. */
const maxValueBytes = 2 * 1024 * 1024;

export interface Decision {
  item: Reading;
  outcome: Outcome;
  write: KeyWrite | null;
  issue: Issue | null;
  /** The key becomes expired by this, of which no sweep will tell. */
  expires: boolean;
}

interface DecisionInput {
  item: Reading;
  known: StoredKey | null;
  /** For a key that is new. */
  id: string;
  backend: Backend;
  keys: TenantKeys;
  now: Date;
  /** Versions that the vault made before this one and that were not seen here, the oldest first. */
  earlier?: SecretReading[];
}

/** What becomes of one secret that was read. Encrypts its value where the value is to be stored. */
export function decide(input: DecisionInput): Decision {
  const { item, known, backend, keys, now } = input;
  const { reading } = item;
  if (reading.value.size > maxValueBytes) return tooLarge(item);

  const digest = keys.digest(reading.value.reveal());
  const remote: RemoteReading = { ...reading, digest: digest.toString('hex') };
  const settlement = settle(known, remote, backend.conflict_policy, now);
  const issue = issueOf(item, settlement.outcome);
  if (settlement.write === 'none') return { item, outcome: settlement.outcome, write: null, issue, expires: false };
  const expires = settlement.state === 'expired' && known?.state !== 'expired';
  return { item, outcome: settlement.outcome, write: writeOf(input, digest, settlement), issue, expires };
}

function writeOf(
  { item, known, id, backend, keys, earlier = [] }: DecisionInput,
  digest: Buffer,
  settlement: Settlement,
): KeyWrite {
  const { reading } = item;
  const keyId = known?.id ?? id;
  const replaces = settlement.write === 'value';
  const before = known?.version ?? 0;
  const version = replaces ? before + earlier.length + 1 : before;
  const value = reading.value.reveal();
  const sealed = (bytes: Buffer, number: number) =>
    keys.seal(bytes, valueBinding(backend.tenant_id, keyId, number)).ciphertext;
  return {
    id: keyId,
    rowVersion: known?.rowVersion ?? null,
    version,
    remotePath: item.remote,
    localPath: item.local,
    type: keyTypeOf(value.toString('utf8'), reading.metadata.type),
    state: settlement.state,
    contentType: reading.contentType,
    metadata: reading.metadata,
    remoteVersion: reading.version,
    remoteRevision: reading.revision,
    remoteCreatedAt: reading.createdAt,
    ...digestsAfter(settlement, known, digest),
    expiresAt: reading.expiresAt,
    ciphertext: replaces ? sealed(value, version) : null,
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

/** Where base, local and remote stand after the write. Base is what both sides last agreed on, or know of each other. */
function digestsAfter({ write }: Settlement, known: StoredKey | null, digest: Buffer) {
  const same = { baseDigest: digest, localDigest: digest, remoteDigest: digest };
  if (known === null || write === 'value') return same;
  const local = Buffer.from(known.localDigest, 'hex');
  if (local.equals(digest)) return same;
  return { baseDigest: digest, localDigest: local, remoteDigest: digest };
}

function tooLarge(item: Reading): Decision {
  const message = `"${item.remote}" has ${item.reading.value.size} bytes, more than a key may have.`;
  const issue: Issue = {
    remotePath: item.remote,
    outcome: 'invalid',
    code: 'value_too_large',
    class: 'too_large',
    message,
  };
  return { item, outcome: 'invalid', write: null, issue, expires: false };
}

/** A key of another backend, or of another secret of this one, came to have the path after this was validated. */
export function pathTaken(item: Reading): Decision {
  const message = `"${item.local}" was taken by another key in the meantime.`;
  const issue: Issue = { remotePath: item.remote, outcome: 'skipped', code: 'path_taken', class: null, message };
  return { item, outcome: 'skipped', write: null, issue, expires: false };
}

function issueOf({ remote }: Reading, outcome: Outcome): Issue | null {
  if (outcome === 'conflicting') {
    const message = `"${remote}" was changed in the vault and here.`;
    return { remotePath: remote, outcome, code: 'conflict_manual', class: null, message };
  }
  if (outcome === 'skipped') {
    const message = `"${remote}" has an older version in the vault than the one stored.`;
    return { remotePath: remote, outcome, code: 'version_older', class: null, message };
  }
  return null;
}
