import { KeyferryError, type KeyType, type Lifecycle } from '@keyferry/core';
import { sql } from 'kysely';
import type { Tx } from './database.ts';
import { remoteHash } from './hash.ts';
import { insertVersion, type ValueKey } from './key-versions.ts';
import { type LockedKey, movableColumns } from './move-keys.ts';

/** Keys as writes through Keyferry find them, and what such a write makes of them. */

export interface WritableKey extends ValueKey {
  remoteDigest: Buffer;
  remoteVersion: string | null;
  metadata: Record<string, string>;
  rolledBack: boolean;
  /** Deleted here, and not in the vault. */
  tombstone: boolean;
  /** Why it went, where it did. */
  deprecatedFor: 'absent' | 'out_of_scope' | null;
  /** Keyferry made the secret in the vault. */
  owned: boolean;
  ownedFor: string | null;
}

const writable = (tx: Tx) =>
  tx
    .selectFrom('keys')
    .select(movableColumns)
    .select([
      'base_digest as baseDigest',
      'local_digest as localDigest',
      'remote_digest as remoteDigest',
      'remote_version as remoteVersion',
      'metadata',
      'rolled_back as rolledBack',
      'tombstone',
      'deprecated_for as deprecatedFor',
      'owned',
      'owned_for as ownedFor',
    ]);

/** The key of this local path, in any state; with `lock`, nobody else writes it until the transaction ends. */
export async function findWritableKey(
  tx: Tx,
  localPath: string,
  { lock = false } = {},
): Promise<WritableKey | undefined> {
  const query = writable(tx).where('local_path', '=', localPath);
  return await (lock ? query.forUpdate() : query).executeTakeFirst();
}

/** The local path of the key that a secret of the vault has, whatever it is called by now; null where it has none. */
export async function nameOfRemote(tx: Tx, backendId: string, remotePath: string): Promise<string | null> {
  const row = await tx
    .selectFrom('keys')
    .select('local_path')
    .where('backend_id', '=', backendId)
    .where('remote_hash', '=', remoteHash(remotePath))
    .executeTakeFirst();
  return row?.local_path ?? null;
}

/** A value that was given to Keyferry, sealed for the number that comes next. */
export interface WrittenValue {
  version: number;
  ciphertext: Buffer;
  encryptionKeyId: string;
  type: KeyType;
  contentType: string;
  metadata: Record<string, string>;
  digest: Buffer;
  digestKeyId: string;
  /** What the vault calls it, where it was written there first; else null, and the vault's side stays as it was noted. */
  remote: { version: string | null; revision: string | null } | null;
}

interface NewKey {
  id: string;
  tenantId: string;
  backendId: string;
  remotePath: string;
  localPath: string;
  owned: boolean;
  ownedFor: string | null;
}

/**
 * A key that was written before any cycle has found it: its lifecycle's times are the caller's business. Null if somebody
 * else has made a key of this secret or path in the meantime.
 */
export async function insertWrittenKey(
  tx: Tx,
  key: NewKey,
  value: WrittenValue,
  settings: { lifecycle: Lifecycle; maxVersions: number; now: Date },
): Promise<LockedKey | null> {
  const { now } = settings;
  const absent = Buffer.alloc(0);
  const noted = value.remote ? value.digest : absent;
  const row = await tx
    .insertInto('keys')
    .values({
      id: key.id,
      tenant_id: key.tenantId,
      backend_id: key.backendId,
      remote_path: key.remotePath,
      remote_hash: remoteHash(key.remotePath),
      local_path: key.localPath,
      type: value.type,
      state: 'active',
      version: value.version,
      content_type: value.contentType,
      metadata: JSON.stringify(value.metadata),
      remote_version: value.remote?.version ?? null,
      remote_revision: value.remote?.revision ?? null,
      base_digest: noted,
      local_digest: value.digest,
      remote_digest: noted,
      digest_key_id: value.digestKeyId,
      owned: key.owned,
      owned_for: key.ownedFor,
      value_at: now,
      state_changed_at: now,
      last_seen_at: now,
      created_at: now,
      updated_at: now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  if (!row) return null;
  const inserted = await writable(tx).where('id', '=', key.id).executeTakeFirstOrThrow();
  await insertVersion(tx, inserted, asVersion(value), settings);
  return inserted;
}

/**
 * Gives a locked key another value, as a new version. What is due for it, and its state, are the caller's business, who moves
 * it next. An expiry that has passed was the former value's. Returns the key as it is then.
 */
export async function writeKeyValue(
  tx: Tx,
  key: WritableKey,
  value: WrittenValue,
  settings: { lifecycle: Lifecycle; maxVersions: number; now: Date },
): Promise<WritableKey> {
  const { now } = settings;
  await insertVersion(tx, key, asVersion(value), settings);
  const expiresAt = key.expiresAt !== null && key.expiresAt <= now ? null : key.expiresAt;
  const { remote, digest } = value;
  await tx
    .updateTable('keys')
    .set({
      version: value.version,
      type: value.type,
      content_type: value.contentType,
      local_digest: digest,
      digest_key_id: value.digestKeyId,
      ...(remote && {
        base_digest: digest,
        remote_digest: digest,
        remote_version: remote.version,
        // Whether the former expiry is that of the new value as well only a reading shows.
        remote_revision: key.expiresAt === null ? remote.revision : null,
        missing_since: null,
      }),
      ...(!remote && isGone(key) && onlyHere),
      rolled_back: false,
      tombstone: false,
      expires_at: expiresAt,
      value_at: now,
      rotation_told: false,
      updated_at: now,
    })
    .where('id', '=', key.id)
    .execute();
  return { ...key, version: value.version, localDigest: digest, expiresAt, valueAt: now };
}

/** Whether it is known, and settled, that the vault has nothing of it: what is written then is no change beside the vault's. */
const isGone = ({ remoteDigest, deprecatedFor }: WritableKey) =>
  remoteDigest.length === 0 || deprecatedFor === 'absent';

const onlyHere = {
  base_digest: Buffer.alloc(0),
  remote_digest: Buffer.alloc(0),
  remote_version: null,
  remote_revision: null,
  remote_created_at: null,
  missing_since: null,
  owned: false,
};

const asVersion = ({ remote, ...value }: WrittenValue) => ({
  ...value,
  source: 'local' as const,
  remoteVersion: remote?.version ?? null,
  remoteCreatedAt: null,
});

/** Notes whose a secret in the vault is. */
export async function noteOwned(
  tx: Tx,
  keyId: string,
  { owned, ownedFor }: { owned: boolean; ownedFor: string | null },
): Promise<void> {
  await tx.updateTable('keys').set({ owned, owned_for: ownedFor }).where('id', '=', keyId).execute();
}

/** Notes that a locked key was deleted by whoever uses Keyferry: `tombstone`, where the vault still has its secret. */
export async function noteDeleted(tx: Tx, keyId: string, { tombstone }: { tombstone: boolean }): Promise<void> {
  // What is in the vault under this name later is not what was made here, nor in conflict with it.
  const gone = {
    owned: false,
    owned_for: null,
    base_digest: sql<Buffer>`local_digest`,
    remote_digest: Buffer.alloc(0),
    remote_version: null,
    remote_revision: null,
  };
  await tx
    .updateTable('keys')
    .set({ tombstone, kept: false, ...(!tombstone && gone) })
    .where('id', '=', keyId)
    .execute();
}

/**
 * Numbers a write through Keyferry, so that no cycle puts what it has read before in its place. Comes after all else that is
 * written of the key, as everybody locks keys first and then their backend. Throws `backend_not_found` if it was removed.
 */
export async function stampWrite(tx: Tx, backendId: string, keyId: string): Promise<void> {
  const { numAffectedRows } = await sql`
    WITH raised AS (UPDATE backends SET write_seq = write_seq + 1 WHERE id = ${backendId} AND state <> 'removed'
      RETURNING write_seq)
    UPDATE keys SET write_seq = raised.write_seq, row_version = row_version + 1 FROM raised WHERE keys.id = ${keyId}`.execute(
    tx,
  );
  if (Number(numAffectedRows) !== 1) throw new KeyferryError('backend_not_found', 'The backend was removed.');
}
