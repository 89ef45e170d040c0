import type { KeyState, KeyType } from '@keyferry/core';
import { sql } from 'kysely';
import type { Tx } from './database.ts';
import { remoteHash } from './hash.ts';
import { printable } from './printable.ts';

/** One key as the sync stage wants it to be. Digests are bytes; `ciphertext` is null where the value stays. */
export interface KeyWrite {
  id: string;
  /** As it was read, or null for a new key. */
  rowVersion: number | null;
  version: number;
  remotePath: string;
  localPath: string;
  type: KeyType;
  state: KeyState;
  contentType: string;
  metadata: Record<string, string>;
  remoteVersion: string | null;
  remoteRevision: string | null;
  remoteCreatedAt: Date | null;
  baseDigest: Buffer;
  localDigest: Buffer;
  remoteDigest: Buffer;
  expiresAt: Date | null;
  purgeAt: Date | null;
  expiryReminderAt: Date | null;
  rotationDueAt: Date | null;
  rolledBack: boolean;
  /** Deleted here, and not in the vault. */
  tombstone: boolean;
  /** Keyferry made the secret in the vault; false leaves it as it was. */
  owned: boolean;
  ownedFor: string | null;
  /** Whether type and content type are those of the value that is served, and not of another one that the vault has. */
  describesValue: boolean;
  ciphertext: Buffer | null;
  /** Until when the version that was current before may still be read by its number; null where none was replaced. */
  readableUntil: Date | null;
  /** Versions that the vault made before this one and that were not seen here; numbered below it. */
  earlier: VersionWrite[];
}

/** One version of a value. */
export interface VersionWrite {
  version: number;
  contentType: string;
  metadata: Record<string, string>;
  remoteVersion: string | null;
  remoteCreatedAt: Date | null;
  ciphertext: Buffer;
}

interface WriteContext {
  tenantId: string;
  backendId: string;
  cycleId: string;
  digestKeyId: string;
  encryptionKeyId: string;
  /** How many versions of a value are kept. */
  maxVersions: number;
  now: Date;
}

/**
 * Writes a batch of keys and their new versions: a handful of statements, however many keys. A key that is new has one digest:
 * both sides agree on it. A key is written only if its
 * row_version is as it was read, and a new one only if nobody has its identity or local path by now. Returns the ids that
 * were written; the caller looks at the others again. Rows are taken in one order, so that two batches can't deadlock.
 */
export async function writeKeys(tx: Tx, context: WriteContext, writes: readonly KeyWrite[]): Promise<Set<string>> {
  if (writes.length === 0) return new Set();
  const sorted = writes
    .map((write) => ({ ...write, hash: remoteHash(write.remotePath) }))
    .sort((left, right) => Buffer.compare(left.hash, right.hash));
  const [added, changed] = [
    sorted.filter((write) => write.rowVersion === null),
    sorted.filter((write) => write.rowVersion !== null),
  ];
  const created = new Set(await insertKeys(tx, context, added));
  const updated = new Set(await updateKeys(tx, context, changed));
  await insertVersions(tx, context, [
    ...added.filter(({ id }) => created.has(id)).map((write) => ({ ...write, ciphertext: null })),
    ...changed.filter(({ id }) => updated.has(id)),
  ]);
  return new Set([...created, ...updated]);
}

type SortedWrite = KeyWrite & { hash: Buffer };

/** One secret's odd metadata must not make the statement fail for all. */
function metadataOf({ metadata }: { metadata: Record<string, string> }): string {
  const entries = Object.entries(metadata).map(([name, value]) => [printable(name), printable(value)]);
  return JSON.stringify(Object.fromEntries(entries));
}

/** New keys with their first versions, in one statement, so that what both have is sent once: most of a first sync is this. */
async function insertKeys(tx: Tx, context: WriteContext, writes: readonly SortedWrite[]): Promise<string[]> {
  if (writes.length === 0) return [];
  const column = <T>(pick: (write: SortedWrite) => T) => writes.map(pick);
  const { tenantId, now } = context;
  const { rows } = await sql<{ id: string }>`
    WITH w AS MATERIALIZED (SELECT * FROM unnest(
        ${column((w) => w.id)}::uuid[], ${column((w) => w.version)}::integer[], ${column((w) => w.remotePath)}::text[],
        ${column((w) => w.hash)}::bytea[], ${column((w) => w.localPath)}::text[], ${column((w) => w.type)}::text[],
        ${column((w) => w.state)}::text[], ${column((w) => w.contentType)}::text[],
        ${column((w) => metadataOf(w))}::jsonb[], ${column((w) => w.remoteVersion)}::text[],
        ${column((w) => w.remoteRevision)}::text[], ${column((w) => w.remoteCreatedAt)}::timestamptz[],
        ${column((w) => w.remoteDigest)}::bytea[], ${column((w) => w.expiresAt)}::timestamptz[],
        ${column((w) => w.purgeAt)}::timestamptz[], ${column((w) => w.expiryReminderAt)}::timestamptz[],
        ${column((w) => w.rotationDueAt)}::timestamptz[], ${column((w) => w.owned)}::boolean[],
        ${column((w) => w.ownedFor)}::text[], ${column((w) => w.ciphertext)}::bytea[])
      WITH ORDINALITY AS w (id, version, remote_path, remote_hash, local_path, type, state, content_type, metadata,
        remote_version, remote_revision, remote_created_at, digest, expires_at, purge_at, expiry_reminder_at,
        rotation_due_at, owned, owned_for, ciphertext, place)),
    created AS (
      INSERT INTO keys (id, tenant_id, backend_id, remote_path, remote_hash, local_path, type, state, version, content_type,
        metadata, remote_version, remote_revision, remote_created_at, base_digest, local_digest, remote_digest,
        digest_key_id, expires_at, purge_at, expiry_reminder_at, rotation_due_at, owned, owned_for, value_at, created_in,
        state_changed_at, last_seen_at, created_at, updated_at)
      SELECT id, ${tenantId}, ${context.backendId}, remote_path, remote_hash, local_path, type, state, version,
        content_type, metadata, remote_version, remote_revision, remote_created_at, digest, digest, digest,
        ${context.digestKeyId}, expires_at, purge_at, expiry_reminder_at, rotation_due_at, owned, owned_for,
        coalesce(remote_created_at, ${now}::timestamptz), ${context.cycleId}, ${now}::timestamptz, ${now}::timestamptz,
        ${now}::timestamptz, ${now}::timestamptz
      FROM w ORDER BY place
      ON CONFLICT DO NOTHING RETURNING id),
    versions AS (
      INSERT INTO key_versions (key_id, version, tenant_id, ciphertext, encryption_key_id, content_type, metadata, source,
        remote_version, remote_created_at, created_at)
      SELECT w.id, w.version, ${tenantId}, w.ciphertext, ${context.encryptionKeyId}, w.content_type, w.metadata, 'vault',
        w.remote_version, w.remote_created_at, ${now}::timestamptz
      FROM w JOIN created USING (id))
    SELECT id FROM created`.execute(tx);
  return rows.map((row) => row.id);
}

/** What changes of a key, as a derived table `w`: each column an array, one element a key. */
function columnsOf(writes: readonly SortedWrite[]) {
  const column = <T>(pick: (write: SortedWrite) => T) => writes.map(pick);
  return sql`unnest(
    ${column((w) => w.id)}::uuid[], ${column((w) => w.rowVersion)}::bigint[], ${column((w) => w.version)}::integer[],
    ${column((w) => w.type)}::text[], ${column((w) => w.state)}::text[], ${column((w) => w.contentType)}::text[],
    ${column((w) => metadataOf(w))}::jsonb[], ${column((w) => w.remoteVersion)}::text[],
    ${column((w) => w.remoteRevision)}::text[], ${column((w) => w.remoteCreatedAt)}::timestamptz[],
    ${column((w) => w.baseDigest)}::bytea[], ${column((w) => w.localDigest)}::bytea[],
    ${column((w) => w.remoteDigest)}::bytea[], ${column((w) => w.expiresAt)}::timestamptz[],
    ${column((w) => w.purgeAt)}::timestamptz[], ${column((w) => w.expiryReminderAt)}::timestamptz[],
    ${column((w) => w.rotationDueAt)}::timestamptz[], ${column((w) => w.rolledBack)}::boolean[],
    ${column((w) => w.ciphertext !== null)}::boolean[], ${column((w) => w.tombstone)}::boolean[],
    ${column((w) => w.owned)}::boolean[], ${column((w) => w.ownedFor)}::text[],
    ${column((w) => w.describesValue)}::boolean[])
    AS w (id, row_version, version, type, state, content_type, metadata, remote_version, remote_revision,
      remote_created_at, base_digest, local_digest, remote_digest, expires_at, purge_at, expiry_reminder_at,
      rotation_due_at, rolled_back, rotated, tombstone, owned, owned_for, describes_value)`;
}

async function updateKeys(tx: Tx, context: WriteContext, writes: readonly SortedWrite[]): Promise<string[]> {
  if (writes.length === 0) return [];
  // An UPDATE takes its rows in no certain order: lock them in the order of all batches first.
  await sql`SELECT FROM keys WHERE id = ANY(${writes.map((write) => write.id)}::uuid[]) ORDER BY remote_hash FOR UPDATE`.execute(
    tx,
  );
  const { rows } = await sql<{ id: string }>`
    UPDATE keys k SET row_version = k.row_version + 1, version = w.version, state = w.state,
      type = CASE WHEN w.describes_value THEN w.type ELSE k.type END,
      content_type = CASE WHEN w.describes_value THEN w.content_type ELSE k.content_type END, metadata = w.metadata, remote_version = w.remote_version,
      remote_revision = w.remote_revision, remote_created_at = w.remote_created_at, base_digest = w.base_digest,
      local_digest = w.local_digest, remote_digest = w.remote_digest, digest_key_id = ${context.digestKeyId},
      expires_at = w.expires_at, purge_at = w.purge_at, expiry_reminder_at = w.expiry_reminder_at,
      archive_at = NULL, archive_reminder_at = NULL, rotation_due_at = w.rotation_due_at,
      rotation_told = k.rotation_told AND NOT w.rotated, rolled_back = w.rolled_back, tombstone = w.tombstone,
      owned = k.owned OR w.owned, owned_for = coalesce(w.owned_for, k.owned_for), kept = false, missing_since = NULL,
      value_at = CASE WHEN w.rotated THEN coalesce(w.remote_created_at, ${context.now}) ELSE k.value_at END,
      state_changed_at = CASE WHEN k.state = w.state THEN k.state_changed_at ELSE ${context.now} END,
      deprecated_at = CASE WHEN w.state = 'active' THEN NULL ELSE k.deprecated_at END,
      deprecated_for = CASE WHEN w.state = 'active' THEN NULL ELSE k.deprecated_for END,
      hold_id = CASE WHEN w.state = 'active' THEN NULL ELSE k.hold_id END,
      last_seen_at = ${context.now}, updated_at = ${context.now}
    FROM ${columnsOf(writes)}
    WHERE k.id = w.id AND k.row_version = w.row_version
    RETURNING k.id`.execute(tx);
  return rows.map((row) => row.id);
}

async function insertVersions(tx: Tx, context: WriteContext, writes: readonly SortedWrite[]): Promise<void> {
  const versions = writes.flatMap(({ id, ciphertext, earlier, ...current }) => [
    ...earlier.map((version) => ({ id, ...version })),
    ...(ciphertext === null ? [] : [{ id, ...current, ciphertext }]),
  ]);
  if (versions.length > 0) await insertVersionRows(tx, context, versions);
  await keepReadable(tx, writes);
  const { maxVersions } = context;
  const grown = writes.filter((write) => write.version > maxVersions);
  if (grown.length === 0) return;
  await sql`DELETE FROM key_versions v
    USING unnest(${grown.map((w) => w.id)}::uuid[], ${grown.map((w) => w.version - maxVersions)}::integer[])
      AS old (key_id, newest)
    WHERE v.key_id = old.key_id AND v.version <= old.newest
      AND (v.readable_until IS NULL OR v.readable_until <= ${context.now})`.execute(tx);
}

/** Versions that were current until now may be read by their numbers for as long as the overlap lasts. */
async function keepReadable(tx: Tx, writes: readonly SortedWrite[]): Promise<void> {
  const replaced = writes.filter((write) => write.readableUntil !== null);
  if (replaced.length === 0) return;
  await sql`UPDATE key_versions v SET readable_until = w.readable_until
    FROM unnest(${replaced.map((w) => w.id)}::uuid[], ${replaced.map((w) => w.version - w.earlier.length - 1)}::integer[],
      ${replaced.map((w) => w.readableUntil)}::timestamptz[]) AS w (key_id, version, readable_until)
    WHERE v.key_id = w.key_id AND v.version = w.version`.execute(tx);
}

async function insertVersionRows(
  tx: Tx,
  context: WriteContext,
  versions: readonly (VersionWrite & { id: string })[],
): Promise<void> {
  const column = <T>(pick: (version: VersionWrite & { id: string }) => T) => versions.map(pick);
  await sql`
    INSERT INTO key_versions (key_id, version, tenant_id, ciphertext, encryption_key_id, content_type, metadata, source,
      remote_version, remote_created_at, created_at)
    SELECT v.key_id, v.version, ${context.tenantId}, v.ciphertext, ${context.encryptionKeyId}, v.content_type, v.metadata,
      'vault', v.remote_version, v.remote_created_at, ${context.now}
    FROM unnest(${column((v) => v.id)}::uuid[], ${column((v) => v.version)}::integer[],
      ${column((v) => v.ciphertext)}::bytea[], ${column((v) => v.contentType)}::text[],
      ${column((v) => metadataOf(v))}::jsonb[], ${column((v) => v.remoteVersion)}::text[],
      ${column((v) => v.remoteCreatedAt)}::timestamptz[])
      AS v (key_id, version, ciphertext, content_type, metadata, remote_version, remote_created_at)`.execute(tx);
}
