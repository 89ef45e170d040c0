import { KeyferryError, type Lifecycle, type VersionSource } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import type { Tx } from './database.ts';
import { reckonKeys } from './due-keys.ts';
import { type LockedKey, selectLocked } from './move-keys.ts';
import type { Database } from './schema.ts';

/** The values of one key, by their numbers. */

export type KeyVersion = Omit<Selectable<Database['key_versions']>, 'ciphertext' | 'encryption_key_id' | 'metadata'>;
type StoredVersion = Selectable<Database['key_versions']>;

/** The versions of a key that are kept, the newest first, without their values. */
export async function listVersions(tx: Tx, keyId: string): Promise<KeyVersion[]> {
  return await tx
    .selectFrom('key_versions')
    .select([
      'key_id',
      'tenant_id',
      'version',
      'source',
      'content_type',
      'remote_version',
      'remote_created_at',
      'readable_until',
      'created_at',
    ])
    .where('key_id', '=', keyId)
    .orderBy('version', 'desc')
    .execute();
}

/** One version, with its value as it is stored. Throws `version_gone`. */
export async function getVersion(tx: Tx, key: { id: string; localPath: string }, version: number) {
  const row: StoredVersion | undefined = await tx
    .selectFrom('key_versions')
    .selectAll()
    .where('key_id', '=', key.id)
    .where('version', '=', version)
    .executeTakeFirst();
  if (!row) throw new KeyferryError('version_gone', `No version ${version} of "${key.localPath}" is kept.`);
  return row;
}

/** A locked key with what decides on another value for it. */
export interface ValueKey extends LockedKey {
  baseDigest: Buffer;
  localDigest: Buffer;
}

/** The key of this id, locked until the transaction ends. */
export async function lockValueKey(tx: Tx, keyId: string): Promise<ValueKey | undefined> {
  return await selectLocked(tx)
    .select(['keys.base_digest as baseDigest', 'keys.local_digest as localDigest'])
    .where('keys.id', '=', keyId)
    .executeTakeFirst();
}

/** A value that a person wants to be served, sealed for the number that comes next. */
export interface NewVersion {
  version: number;
  source: Exclude<VersionSource, 'vault'>;
  ciphertext: Buffer;
  encryptionKeyId: string;
  type: Selectable<Database['keys']>['type'];
  contentType: string;
  metadata: Record<string, string>;
  remoteVersion: string | null;
  remoteCreatedAt: Date | null;
  digest: Buffer;
}

/**
 * Makes an earlier value of a locked key its current one, under a new number, and reckons what is due for it. What the vault
 * has stays noted as it is: until the vault has something else, this value is served. Returns the key as it is then.
 */
export async function addVersion(
  tx: Tx,
  key: ValueKey,
  added: NewVersion,
  settings: { lifecycle: Lifecycle; maxVersions: number; now: Date },
): Promise<ValueKey> {
  const { lifecycle, now } = settings;
  await insertVersion(tx, key, added, settings);
  await tx
    .updateTable('keys')
    .set({
      version: added.version,
      type: added.type,
      content_type: added.contentType,
      metadata: JSON.stringify(added.metadata),
      local_digest: added.digest,
      rolled_back: !added.digest.equals(key.baseDigest),
      value_at: now,
      rotation_told: false,
      row_version: sql`row_version + 1`,
      updated_at: now,
    })
    .where('id', '=', key.id)
    .execute();
  const after: ValueKey = { ...key, version: added.version, valueAt: now, localDigest: added.digest };
  await reckonKeys(tx, [after], lifecycle, now);
  return after;
}

/** Stores a value as the version that comes next, and lets go of those that are too many. The key's row is the caller's. */
export async function insertVersion(
  tx: Tx,
  key: Pick<LockedKey, 'id' | 'localPath' | 'version'>,
  added: Omit<NewVersion, 'type' | 'digest'>,
  { lifecycle, maxVersions, now }: { lifecycle: Lifecycle; maxVersions: number; now: Date },
): Promise<void> {
  await sql`
    INSERT INTO key_versions (key_id, version, tenant_id, ciphertext, encryption_key_id, content_type, metadata, source,
      remote_version, remote_created_at, created_at)
    SELECT id, ${added.version}, tenant_id, ${added.ciphertext}, ${added.encryptionKeyId}, ${added.contentType},
      ${JSON.stringify(added.metadata)}::jsonb, ${added.source}, ${added.remoteVersion}, ${added.remoteCreatedAt}, ${now}
    FROM keys WHERE id = ${key.id}`.execute(tx);
  const overlap = lifecycle.overlapOf(key.localPath);
  if (overlap > 0)
    await tx
      .updateTable('key_versions')
      .set({ readable_until: new Date(now.getTime() + overlap * 1000) })
      .where('key_id', '=', key.id)
      .where('version', '=', key.version)
      .execute();
  await sql`DELETE FROM key_versions WHERE key_id = ${key.id} AND version <= ${added.version - maxVersions}
    AND (readable_until IS NULL OR readable_until <= ${now})`.execute(tx);
}
