import { KeyferryError, type VersionSource } from '@keyferry/core';
import { sql } from 'kysely';
import type { Backend } from './backends.ts';
import type { Tx } from './database.ts';
import { printable } from './printable.ts';

/** Keys whose two sides both changed. Their own rows are as they were; what is kept here is the vault's side. */

/** The vault's side as it was seen just now. The digest is empty where the secret is gone. */
export interface SeenConflict {
  keyId: string;
  /** Of the key, as it was read: what was changed since is looked at again. */
  rowVersion: number;
  kind: 'changed' | 'removed';
  remoteDigest: Buffer;
  remoteVersion: string | null;
  remoteCreatedAt: Date | null;
  metadata: Record<string, string>;
}

/**
 * Notes conflicts, in one statement. What a person has said of another value is forgotten. Returns the ids of those that were
 * noted, and whether each is news: new, or with another side of the vault. Those of keys that were changed meanwhile are not.
 */
export async function noteConflicts(
  tx: Tx,
  { tenant_id: tenantId, id: backendId }: Pick<Backend, 'id' | 'tenant_id'>,
  seen: readonly SeenConflict[],
  now: Date,
): Promise<Map<string, { news: boolean }>> {
  if (seen.length === 0) return new Map();
  const column = <T>(pick: (one: SeenConflict) => T) => seen.map(pick);
  const { rows } = await sql<{ key_id: string; news: boolean }>`
    WITH w AS MATERIALIZED (
      SELECT w.* FROM unnest(${column((c) => c.keyId)}::uuid[], ${column((c) => c.rowVersion)}::bigint[],
          ${column((c) => c.kind)}::text[], ${column((c) => c.remoteDigest)}::bytea[],
          ${column((c) => c.remoteVersion)}::text[], ${column((c) => c.remoteCreatedAt)}::timestamptz[],
          ${column((c) => textOf(c.metadata))}::jsonb[])
        AS w (key_id, row_version, kind, remote_digest, remote_version, remote_created_at, remote_metadata)
      JOIN keys k ON k.id = w.key_id AND k.row_version = w.row_version),
    before AS MATERIALIZED (
      SELECT c.key_id, c.kind, c.remote_digest FROM conflicts c WHERE c.key_id = ANY(${column((c) => c.keyId)}::uuid[])),
    noted AS (
      INSERT INTO conflicts AS c (key_id, tenant_id, backend_id, kind, remote_digest, remote_version, remote_created_at,
        remote_metadata, detected_at, seen_at)
      SELECT key_id, ${tenantId}, ${backendId}, kind, remote_digest, remote_version, remote_created_at, remote_metadata,
        ${now}::timestamptz, ${now}::timestamptz
      FROM w ORDER BY key_id
      ON CONFLICT (key_id) DO UPDATE SET kind = EXCLUDED.kind, remote_digest = EXCLUDED.remote_digest,
        remote_version = EXCLUDED.remote_version, remote_created_at = EXCLUDED.remote_created_at,
        remote_metadata = EXCLUDED.remote_metadata, seen_at = EXCLUDED.seen_at,
        resolution = CASE WHEN c.remote_digest = EXCLUDED.remote_digest THEN c.resolution END,
        resolved_by = CASE WHEN c.remote_digest = EXCLUDED.remote_digest THEN c.resolved_by END,
        resolved_at = CASE WHEN c.remote_digest = EXCLUDED.remote_digest THEN c.resolved_at END
      RETURNING key_id, kind, remote_digest)
    SELECT noted.key_id,
      (before.kind, before.remote_digest) IS DISTINCT FROM (noted.kind, noted.remote_digest) AS news
    FROM noted LEFT JOIN before USING (key_id)`.execute(tx);
  return new Map(rows.map(({ key_id, news }) => [key_id, { news }]));
}

/** One secret's odd metadata must not make the statement fail for all. */
const textOf = (metadata: Record<string, string>) =>
  JSON.stringify(
    Object.fromEntries(Object.entries(metadata).map(([name, value]) => [printable(name), printable(value)])),
  );

/** A conflict that is over, with what a person had said. */
export interface EndedConflict {
  keyId: string;
  path: string;
  /** In hex; empty where the secret was gone. */
  remoteDigest: string;
  resolution: 'local' | 'remote' | null;
  resolvedBy: string | null;
}

/** Forgets the conflicts of keys that were settled otherwise. Returns them in the order of their paths. */
export async function endConflicts(tx: Tx, keyIds: readonly string[]): Promise<EndedConflict[]> {
  if (keyIds.length === 0) return [];
  const { rows } = await sql<EndedConflict>`
    WITH ended AS (
      DELETE FROM conflicts c USING keys k WHERE c.key_id = ANY(${keyIds}::uuid[]) AND k.id = c.key_id
      RETURNING c.key_id AS "keyId", k.local_path AS path, encode(c.remote_digest, 'hex') AS "remoteDigest",
        c.resolution, c.resolved_by AS "resolvedBy")
    SELECT * FROM ended ORDER BY path`.execute(tx);
  return rows;
}

/** A conflict with both its sides, for people: never a value, and no digest. */
export interface ListedConflict {
  key_id: string;
  path: string;
  remote_path: string;
  kind: 'changed' | 'removed';
  /** Deleted here, and changed in the vault. */
  deleted: boolean;
  version: number;
  source: VersionSource | null;
  made_at: Date | null;
  metadata: Record<string, string> | null;
  remote_version: string | null;
  remote_created_at: Date | null;
  remote_metadata: Record<string, string>;
  detected_at: Date;
  resolution: 'local' | 'remote' | null;
  resolved_by: string | null;
}

/** A backend's conflicts, the oldest first, after the cursor if there is one. */
export async function listConflicts(
  tx: Tx,
  backendId: string,
  { after, limit }: { after?: { detected_at: Date; key_id: string }; limit: number },
): Promise<ListedConflict[]> {
  let query = tx
    .selectFrom('conflicts as c')
    .innerJoin('keys as k', 'k.id', 'c.key_id')
    .leftJoin('key_versions as v', (join) => join.onRef('v.key_id', '=', 'k.id').onRef('v.version', '=', 'k.version'))
    .select([
      'c.key_id',
      'k.local_path as path',
      'k.remote_path',
      'c.kind',
      'k.tombstone as deleted',
      'k.version',
      'v.source',
      'v.created_at as made_at',
      'v.metadata',
      'c.remote_version',
      'c.remote_created_at',
      'c.remote_metadata',
      'c.detected_at',
      'c.resolution',
      'c.resolved_by',
    ])
    .where('c.backend_id', '=', backendId)
    .orderBy('c.detected_at')
    .orderBy('c.key_id')
    .limit(limit);
  if (after)
    query = query.where(sql<boolean>`(c.detected_at, c.key_id) > (${after.detected_at}, ${after.key_id}::uuid)`);
  return await query.execute();
}

/**
 * Notes what a person says of conflicts of a backend: of these local paths, or of all where that is null. The next cycle does
 * it, as long as the vault has what they saw. Returns the paths. Throws `conflict_not_found` for the first path that is in none.
 */
export async function resolveConflicts(
  tx: Tx,
  backend: Pick<Backend, 'id' | 'name'>,
  said: { keep: 'local' | 'remote'; paths: readonly string[] | null; by: string; now: Date },
): Promise<string[]> {
  const { keep, paths, by, now } = said;
  const chosen = paths === null ? sql`TRUE` : sql`k.local_path = ANY(${paths}::text[])`;
  const { rows } = await sql<{ path: string }>`
    WITH chosen AS MATERIALIZED (
      SELECT c.key_id, k.local_path FROM conflicts c JOIN keys k ON k.id = c.key_id
      WHERE c.backend_id = ${backend.id} AND ${chosen} ORDER BY c.key_id FOR UPDATE OF c)
    UPDATE conflicts c SET resolution = ${keep}, resolved_by = ${by}, resolved_at = ${now}
    FROM chosen WHERE c.key_id = chosen.key_id RETURNING chosen.local_path AS path`.execute(tx);
  const found = new Set(rows.map(({ path }) => path));
  const unknown = paths?.find((path) => !found.has(path));
  if (unknown !== undefined)
    throw new KeyferryError('conflict_not_found', `"${unknown}" of ${backend.name} is in no conflict.`);
  return [...found].sort();
}

/** Forgets what a person said of a key's conflict, as the value here is another than they saw. */
export async function forgetResolution(tx: Tx, keyId: string): Promise<void> {
  await tx
    .updateTable('conflicts')
    .set({ resolution: null, resolved_by: null, resolved_at: null })
    .where('key_id', '=', keyId)
    .where('resolution', 'is not', null)
    .execute();
}

/** What else decides on how a key is explained: where its value is, and whether it is in conflict. */
export interface KeySides {
  tombstone: boolean;
  owned: boolean;
  localOnly: boolean;
  ahead: boolean;
  conflict: Pick<ListedConflict, 'kind' | 'detected_at' | 'resolution' | 'resolved_by'> | null;
}

export async function sidesOf(tx: Tx, keyId: string): Promise<KeySides> {
  const row = await tx
    .selectFrom('keys as k')
    .leftJoin('conflicts as c', 'c.key_id', 'k.id')
    .select(['k.tombstone', 'k.owned', 'c.kind', 'c.detected_at', 'c.resolution', 'c.resolved_by'])
    .select(sql<boolean>`k.remote_digest = ''`.as('localOnly'))
    .select(sql<boolean>`k.local_digest <> k.base_digest`.as('ahead'))
    .where('k.id', '=', keyId)
    .executeTakeFirstOrThrow();
  const { tombstone, owned, localOnly, ahead, kind, detected_at, resolution, resolved_by } = row;
  const conflict = kind && detected_at && { kind, detected_at, resolution, resolved_by };
  return { tombstone, owned, localOnly, ahead, conflict: conflict || null };
}
