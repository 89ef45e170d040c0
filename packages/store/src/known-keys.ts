import type { KeyState, KnownKey } from '@keyferry/core';
import { sql } from 'kysely';
import type { Backend } from './backends.ts';
import type { Store, Tx } from './database.ts';
import { remoteHash } from './hash.ts';
import { type LockedKey, movableColumns, valueAt } from './move-keys.ts';
import { resolution } from './resolution.ts';

export interface KnownRevision {
  id: string;
  remote_hash: Buffer;
  remote_revision: string | null;
  state: KeyState;
  revoked: boolean;
  /** Noted as gone from the vault, though it stays. */
  missed: boolean;
  /** Deleted here, and not in the vault. */
  tombstone: boolean;
  /** In conflict, or a write to it was begun: it is looked at, whether the vault has changed it or not. */
  unsettled: boolean;
  /** Has a value that the vault lacks, and that may be written there. */
  ahead: boolean;
}

/** Of a key that was noted as gone and stays, by a setting or by a person's word. */
const missed = sql<boolean>`(kept OR missing_since IS NOT NULL)`.as('missed');

const ahead = sql<boolean>`(local_digest <> base_digest AND NOT rolled_back AND NOT tombstone AND NOT revoked
  AND state IN ('active', 'deprecated'))`.as('ahead');

/** Looked up once for all keys of a page, since there are few of either. */
const unsettled = (backendId: string) =>
  sql<boolean>`(id IN (SELECT c.key_id FROM conflicts c WHERE c.backend_id = ${backendId})
    OR remote_hash IN (SELECT i.remote_hash FROM write_intents i WHERE i.backend_id = ${backendId}))`.as('unsettled');

const pageSize = 10_000;

/** What is known of a backend's keys, page by page, for the index of the discover stage. */
export async function* knownRevisions(
  store: Store,
  tenantId: string,
  backendId: string,
): AsyncGenerator<KnownRevision[]> {
  yield* pages((after) =>
    store.inTenant(tenantId, (tx) =>
      pageOfKeys(tx, backendId, after)
        .select(['id', 'remote_revision', 'state', 'revoked', 'tombstone', missed, ahead, unsettled(backendId)])
        .execute(),
    ),
  );
}

function pageOfKeys(tx: Tx, backendId: string, after: Buffer) {
  return tx
    .selectFrom('keys')
    .select('keys.remote_hash')
    .where('backend_id', '=', backendId)
    .where('remote_hash', '>', after)
    .orderBy('remote_hash')
    .limit(pageSize);
}

/** Pages of a backend's keys in the order of their hashes, until one isn't full. */
async function* pages<Row extends { remote_hash: Buffer }>(
  read: (after: Buffer) => Promise<Row[]>,
): AsyncGenerator<Row[]> {
  let after: Buffer = Buffer.alloc(0);
  for (;;) {
    const page = await read(after);
    if (page.length > 0) yield page;
    const last = page.at(-1);
    if (page.length < pageSize || !last) return;
    after = Buffer.from(last.remote_hash);
  }
}

export interface StoredKey extends KnownKey {
  id: string;
  rowVersion: number;
  version: number;
  localPath: string;
  stateChangedAt: Date;
  deprecatedAt: Date | null;
  /** When the current value was made. */
  valueAt: Date;
  expiryReminderAt: Date | null;
  /** The number of its last write through Keyferry. */
  writeSeq: number;
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
            'state_changed_at',
            'deprecated_at',
            'expiry_reminder_at',
            'rolled_back',
            'tombstone',
            'write_seq',
            resolution.as('resolution'),
            missed,
            valueAt.as('value_at'),
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
        rolledBack: row.rolled_back,
        missed: row.missed,
        tombstone: row.tombstone,
        resolution: row.resolution,
        stateChangedAt: row.state_changed_at,
        deprecatedAt: row.deprecated_at,
        valueAt: row.value_at,
        expiryReminderAt: row.expiry_reminder_at,
        writeSeq: row.write_seq,
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

/**
 * Notes that deprecated keys were listed, though they are not restored, or not looked for: the end of their grace must wait.
 * With `proven`, only of those that went since their absence was proven.
 */
export async function noteSeen(
  tx: Tx,
  backendId: string,
  remotePaths: readonly string[],
  now: Date,
  { proven = false } = {},
): Promise<void> {
  if (remotePaths.length === 0) return;
  let query = tx
    .updateTable('keys')
    .set({ last_seen_at: now })
    .where('backend_id', '=', backendId)
    .where('remote_hash', '=', sql<Buffer>`ANY(${remotePaths.map(remoteHash)}::bytea[])`)
    .where('state', '=', 'deprecated');
  if (proven) query = query.where('deprecated_for', 'is distinct from', 'out_of_scope');
  await query.execute();
}

/** The names of all of a backend's keys, page by page. */
export async function* keyNames(
  store: Store,
  tenantId: string,
  backendId: string,
): AsyncGenerator<{ id: string; remotePath: string; localPath: string }[]> {
  yield* pages((after) =>
    store.inTenant(tenantId, (tx) =>
      pageOfKeys(tx, backendId, after).select(['id', 'remote_path as remotePath', 'local_path as localPath']).execute(),
    ),
  );
}

/** Notes that all of a backend's keys have the names its path mapping gives them, if it is still that mapping. */
export async function noteNamed(tx: Tx, backend: Pick<Backend, 'id' | 'updated_at' | 'names_current'>): Promise<void> {
  if (backend.names_current) return;
  await tx
    .updateTable('backends')
    .set({ names_current: true })
    .where('id', '=', backend.id)
    .where('updated_at', '=', backend.updated_at)
    .execute();
}

/**
 * A person's word on whether keys keep the names they have, whatever the path mapping of then would call them; settings that
 * were changed since are another matter.
 */
export async function keepNames(tx: Tx, backendId: string, said: { kept: boolean; ofThen: Date }): Promise<void> {
  await tx
    .updateTable('backends')
    .set({ names_current: said.kept })
    .where('id', '=', backendId)
    .where('updated_at', '<=', said.ofThen)
    .execute();
}

/** Ids of a backend's keys in these states, page by page, within one transaction. */
export async function* eachKeyOf(tx: Tx, backendId: string, states: readonly KeyState[]): AsyncGenerator<string[]> {
  const read = (after: Buffer) => pageOfKeys(tx, backendId, after).select('id').where('state', 'in', states).execute();
  for await (const page of pages(read)) yield page.map(({ id }) => id);
}

/** All of a backend's keys with what decides on their times, page by page. */
export async function* keysToPreview(
  store: Store,
  tenantId: string,
  backendId: string,
): AsyncGenerator<(LockedKey & { missing: boolean })[]> {
  yield* pages((after) =>
    store.inTenant(tenantId, (tx) =>
      pageOfKeys(tx, backendId, after)
        .select(movableColumns)
        .select(sql<boolean>`missing_since IS NOT NULL`.as('missing'))
        .execute(),
    ),
  );
}
