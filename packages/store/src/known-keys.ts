import type { KeyState, KnownKey } from '@keyferry/core';
import { sql } from 'kysely';
import type { Store, Tx } from './database.ts';
import { remoteHash } from './hash.ts';

export interface KnownRevision {
  id: string;
  remote_hash: Buffer;
  remote_revision: string | null;
  state: KeyState;
  revoked: boolean;
}

const pageSize = 10_000;

/** What is known of a backend's keys, page by page, for the index of the discover stage. */
export async function* knownRevisions(
  store: Store,
  tenantId: string,
  backendId: string,
): AsyncGenerator<KnownRevision[]> {
  let after = Buffer.alloc(0);
  for (;;) {
    const page = await store.inTenant(tenantId, (tx) =>
      tx
        .selectFrom('keys')
        .select(['id', 'remote_hash', 'remote_revision', 'state', 'revoked'])
        .where('backend_id', '=', backendId)
        .where('remote_hash', '>', after)
        .orderBy('remote_hash')
        .limit(pageSize)
        .execute(),
    );
    if (page.length > 0) yield page;
    const last = page[page.length - 1];
    if (page.length < pageSize || !last) return;
    after = Buffer.from(last.remote_hash);
  }
}

export interface StoredKey extends KnownKey {
  id: string;
  rowVersion: number;
  version: number;
  localPath: string;
}

/**
 * The keys of these remote paths, by remote path. Looked up one by one: of a table that it has not counted yet, Postgres
 * may rather read all keys of the tenant, each time.
 */
export async function loadKeys(
  tx: Tx,
  backendId: string,
  remotePaths: readonly string[],
): Promise<Map<string, StoredKey>> {
  const hashes = remotePaths.map(remoteHash);
  const rows = await tx
    .selectFrom(sql<{ hash: Buffer }>`unnest(${hashes}::bytea[])`.as<'w'>(sql`w (hash)`))
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('keys')
          .select([
            'id',
            'remote_path',
            'local_path',
            'state',
            'revoked',
            'row_version',
            'version',
            'base_digest',
            'local_digest',
            'remote_digest',
            'remote_version',
            'remote_revision',
            'remote_created_at',
            'expires_at',
          ])
          .where('backend_id', '=', backendId)
          .whereRef('remote_hash', '=', 'w.hash')
          .limit(1)
          .as('k'),
      (join) => join.onTrue(),
    )
    .selectAll('k')
    .execute();
  return new Map(
    rows.map((row) => [
      row.remote_path,
      {
        id: row.id,
        rowVersion: row.row_version,
        version: row.version,
        localPath: row.local_path,
        state: row.state,
        revoked: row.revoked,
        baseDigest: row.base_digest.toString('hex'),
        localDigest: row.local_digest.toString('hex'),
        remoteDigest: row.remote_digest.toString('hex'),
        remoteVersion: row.remote_version,
        remoteRevision: row.remote_revision,
        remoteCreatedAt: row.remote_created_at,
        expiresAt: row.expires_at,
      },
    ]),
  );
}

/** Who has these local paths in the tenant. Looked up one by one, as `loadKeys` does. */
export async function ownersOf(
  tx: Tx,
  localPaths: readonly string[],
): Promise<Map<string, { backendId: string; remotePath: string }>> {
  const rows = await tx
    .selectFrom(sql<{ path: string }>`unnest(${localPaths}::text[])`.as<'w'>(sql`w (path)`))
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('keys')
          .select(['local_path', 'backend_id', 'remote_path'])
          .whereRef('local_path', '=', 'w.path')
          .limit(1)
          .as('k'),
      (join) => join.onTrue(),
    )
    .selectAll('k')
    .execute();
  return new Map(rows.map((row) => [row.local_path, { backendId: row.backend_id, remotePath: row.remote_path }]));
}

/** Notes that deprecated keys were listed, though they are not restored: the end of their grace must wait. */
export async function noteSeen(tx: Tx, backendId: string, remotePaths: readonly string[], now: Date): Promise<void> {
  if (remotePaths.length === 0) return;
  await tx
    .updateTable('keys')
    .set({ last_seen_at: now })
    .where('backend_id', '=', backendId)
    .where('remote_hash', '=', sql<Buffer>`ANY(${remotePaths.map(remoteHash)}::bytea[])`)
    .where('state', '=', 'deprecated')
    .execute();
}
