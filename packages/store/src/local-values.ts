import type { KeyState } from '@keyferry/core';
import { sql } from 'kysely';
import type { Tx } from './database.ts';

/** Values that are here and not in the vault: what a cycle has to know to write them there. */

/** Those of these keys that no vault has, and that were not deleted: no cycle could find them. */
export async function onlyHereAmong(tx: Tx, keyIds: readonly string[]): Promise<Set<string>> {
  const rows = await tx
    .selectFrom('keys')
    .select('id')
    .where('id', '=', sql<string>`ANY(${keyIds}::uuid[])`)
    .where(isOnlyHere)
    .execute();
  return new Set(rows.map(({ id }) => id));
}

const isOnlyHere = sql<boolean>`remote_digest = '' AND base_digest = ''`;

export interface SealedValue {
  id: string;
  version: number;
  ciphertext: Buffer;
  encryptionKeyId: string;
}

/** The current values of keys, still sealed, by id; a key whose value is not kept has none. */
export async function sealedValues(tx: Tx, keyIds: readonly string[]): Promise<Map<string, SealedValue>> {
  const rows = await tx
    .selectFrom('keys as k')
    .innerJoin('key_versions as v', (join) => join.onRef('v.key_id', '=', 'k.id').onRef('v.version', '=', 'k.version'))
    .select(['k.id', 'k.version', 'v.ciphertext', 'v.encryption_key_id as encryptionKeyId'])
    .where('k.id', '=', sql<string>`ANY(${keyIds}::uuid[])`)
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

/** A key that is only here. */
export interface LocalOnlyKey {
  id: string;
  version: number;
  remotePath: string;
  localPath: string;
  digest: Buffer;
  ownedFor: string | null;
}

/**
 * A backend's served keys that are only here, in the order of their ids; none that a person rolled back, or restored from a
 * backup, until the vault has it again.
 */
export async function localOnlyKeys(
  tx: Tx,
  backendId: string,
  { after, limit, now }: { after: string | null; limit: number; now: Date },
): Promise<LocalOnlyKey[]> {
  let query = tx
    .selectFrom('keys')
    .select([
      'id',
      'version',
      'remote_path as remotePath',
      'local_path as localPath',
      'local_digest as digest',
      'owned_for as ownedFor',
    ])
    .where('backend_id', '=', backendId)
    .where(isOnlyHere)
    .where('state', '=', 'active')
    .where('rolled_back', '=', false)
    .where('kept', '=', false)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .orderBy('id')
    .limit(limit);
  if (after !== null) query = query.where('id', '>', after);
  return await query.execute();
}

/** What the vault answered to a secret that was made there. */
export interface MadeSecret {
  id: string;
  digest: Buffer;
  remoteVersion: string | null;
  remoteRevision: string | null;
}

/**
 * The vault has these values by now, and Keyferry owns the secrets. A key whose value is another by now is ahead of the vault.
 * Returns those that were noted.
 */
export async function noteMade(
  tx: Tx,
  made: readonly MadeSecret[],
  now: Date,
): Promise<{ id: string; state: KeyState; version: number }[]> {
  if (made.length === 0) return [];
  const column = <T>(pick: (one: MadeSecret) => T) => made.map(pick);
  await sql`SELECT FROM keys WHERE id = ANY(${column((m) => m.id)}::uuid[]) ORDER BY remote_hash FOR UPDATE`.execute(
    tx,
  );
  const { rows } = await sql<{ id: string; state: KeyState; version: number }>`
    UPDATE keys k SET base_digest = w.digest, remote_digest = w.digest, remote_version = w.remote_version,
      remote_revision = w.remote_revision, owned = true, row_version = k.row_version + 1, last_seen_at = ${now},
      updated_at = ${now}
    FROM unnest(${column((m) => m.id)}::uuid[], ${column((m) => m.digest)}::bytea[],
      ${column((m) => m.remoteVersion)}::text[], ${column((m) => m.remoteRevision)}::text[])
      AS w (id, digest, remote_version, remote_revision)
    WHERE k.id = w.id
    RETURNING k.id, k.state, k.version`.execute(tx);
  return rows;
}

/** Keys that stay, though their secrets are gone: their values are only here from now on. */
export async function keepOnlyHere(tx: Tx, keyIds: readonly string[], now: Date): Promise<void> {
  if (keyIds.length === 0) return;
  await sql`UPDATE keys SET base_digest = '', remote_digest = '', remote_version = NULL, remote_revision = NULL,
      remote_created_at = NULL, missing_since = NULL, owned = false, row_version = row_version + 1, updated_at = ${now}
    WHERE id = ANY(${keyIds}::uuid[])`.execute(tx);
}

/**
 * Both sides have deleted these: they are archived keys like any other. What somebody makes under their names in the vault one
 * day is not in conflict with what they were.
 */
export async function forgetDeleted(tx: Tx, keyIds: readonly string[], now: Date): Promise<void> {
  if (keyIds.length === 0) return;
  await sql`UPDATE keys SET tombstone = false, owned = false, owned_for = NULL, base_digest = local_digest,
      remote_digest = '', remote_version = NULL, remote_revision = NULL, row_version = row_version + 1, updated_at = ${now}
    WHERE id = ANY(${keyIds}::uuid[]) AND state = 'archived'`.execute(tx);
}

/** The vault was proven to have nothing of these: what is there under their names one day, somebody else has made. */
export async function noteAbsent(tx: Tx, keyIds: readonly string[]): Promise<void> {
  if (keyIds.length === 0) return;
  await sql`UPDATE keys SET owned = false, remote_digest = '' WHERE id = ANY(${keyIds}::uuid[])`.execute(tx);
}
