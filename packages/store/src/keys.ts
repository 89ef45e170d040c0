import { KeyferryError, type KeyState, type Problem } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import type { Tx } from './database.ts';
import { valueBinding } from './encryption/bindings.ts';
import type { TenantKeys } from './encryption/tenant-keys.ts';
import { isId } from './id-or-name.ts';
import type { Database } from './schema.ts';

const shown = [
  'keys.id',
  'keys.backend_id',
  'keys.remote_path',
  'keys.local_path',
  'keys.type',
  'keys.state',
  'keys.revoked',
  'keys.version',
  'keys.content_type',
  'keys.metadata',
  'keys.remote_version',
  'keys.expires_at',
  'keys.state_changed_at',
  'keys.deprecated_at',
  'keys.deprecated_for',
  'keys.archive_at',
  'keys.purge_at',
  'keys.rotation_due_at',
  'keys.missing_since',
  'keys.kept',
  'keys.rolled_back',
  'keys.hold_id',
  'keys.created_in',
  'keys.last_seen_at',
  'keys.created_at',
  'keys.updated_at',
] as const;

type Unqualified<Column> = Column extends `keys.${infer Name}` ? Name : never;

/** A key's record, with what is wrong with its secret as the vault has it now; all null where nothing is. */
export type Key = Pick<Selectable<Database['keys']>, Unqualified<(typeof shown)[number]>> & {
  rejected: boolean | null;
  problems: Problem[] | null;
  problems_since: Date | null;
};

const withFindings = (tx: Tx) =>
  tx
    .selectFrom('keys')
    .leftJoin('findings as f', (join) =>
      join.onRef('f.backend_id', '=', 'keys.backend_id').onRef('f.remote_hash', '=', 'keys.remote_hash'),
    )
    .select(shown)
    .select(['f.rejected', 'f.problems', 'f.since as problems_since']);

export interface KeyFilter {
  state?: KeyState;
  backendId?: string;
  prefix?: string;
  /** Only those with which validation finds something wrong. */
  problems?: boolean;
  /** Only those that should have been rotated by this time. */
  overdueAt?: Date;
  after?: string;
  limit: number;
}

/** Keys in the order of their local paths, after the cursor if there is one. */
export async function listKeys(tx: Tx, filter: KeyFilter): Promise<Key[]> {
  const { state, backendId, prefix, problems, overdueAt, after, limit } = filter;
  let query = withFindings(tx).orderBy('keys.local_path').limit(limit);
  if (state) query = query.where('keys.state', '=', state);
  if (backendId) query = query.where('keys.backend_id', '=', backendId);
  if (prefix) query = query.where(sql<boolean>`starts_with(keys.local_path, ${prefix})`);
  if (problems) query = query.where('f.backend_id', 'is not', null);
  if (overdueAt) query = query.where('keys.rotation_due_at', '<=', overdueAt);
  if (after !== undefined) query = query.where('keys.local_path', '>', after);
  return await query.execute();
}

/** By local path or id; null where there is none. */
export async function findKey(tx: Tx, pathOrId: string): Promise<Key | null> {
  const row = await withFindings(tx)
    .where((eb) =>
      isId(pathOrId)
        ? eb.or([eb('keys.id', '=', pathOrId), eb('keys.local_path', '=', pathOrId)])
        : eb('keys.local_path', '=', pathOrId),
    )
    // A path that looks like another key's id must not stand in for that key.
    .orderBy(sql`keys.id::text = ${pathOrId}`, 'desc')
    .executeTakeFirst();
  return row ?? null;
}

/** By local path or id. Throws `key_not_found`. */
export async function getKey(tx: Tx, pathOrId: string): Promise<Key> {
  const key = await findKey(tx, pathOrId);
  if (!key) throw unknownKey(pathOrId);
  return key;
}

/** The same of keys whose path may be told. Throws `key_not_found` for any other as for one that isn't there. */
export async function getPermittedKey(tx: Tx, pathOrId: string, may: (localPath: string) => boolean): Promise<Key> {
  const key = await findKey(tx, pathOrId);
  if (!key || !may(key.local_path)) throw unknownKey(pathOrId);
  return key;
}

const unknownKey = (pathOrId: string) => new KeyferryError('key_not_found', `There is no key "${pathOrId}".`);

/** The id and path of a key that was purged, by what it was called last or by its id; null where none was. */
export async function findPurgedKey(tx: Tx, pathOrId: string): Promise<{ id: string; localPath: string } | null> {
  const keyId = sql<string>`details->>'key_id'`;
  const row = await tx
    .selectFrom('audit_log')
    .select([keyId.as('id'), 'target as localPath'])
    .where('action', '=', 'key.purged')
    .where((eb) =>
      isId(pathOrId) ? eb.or([eb('target', '=', pathOrId), eb(keyId, '=', pathOrId)]) : eb('target', '=', pathOrId),
    )
    .orderBy('batch', 'desc')
    .orderBy('place', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ?? null;
}

/** How many keys a backend has in each state. */
export async function countKeys(tx: Tx, backendId: string): Promise<Record<KeyState, number>> {
  const rows = await tx
    .selectFrom('keys')
    .select(['state', (eb) => eb.fn.countAll<number>().as('count')])
    .where('backend_id', '=', backendId)
    .groupBy('state')
    .execute();
  const counts: Record<KeyState, number> = { active: 0, deprecated: 0, archived: 0, expired: 0 };
  for (const row of rows) counts[row.state] = row.count;
  return counts;
}

/**
 * The plaintext of a key's current version, or of an earlier one while that may still be read. Throws `version_gone` or
 * `version_unreadable`.
 */
export async function openValue(
  tx: Tx,
  keyId: string,
  keys: TenantKeys,
  wanted?: { version: number; now: Date },
): Promise<Buffer> {
  const row = await tx
    .selectFrom('keys as k')
    .leftJoin('key_versions as v', (join) =>
      join.onRef('v.key_id', '=', 'k.id').on((eb) => eb('v.version', '=', wanted?.version ?? eb.ref('k.version'))),
    )
    .select([
      'k.tenant_id',
      'k.local_path',
      'k.version as current',
      'v.version',
      'v.ciphertext',
      'v.encryption_key_id',
      'v.readable_until',
    ])
    .where('k.id', '=', keyId)
    .executeTakeFirst();
  if (!row) throw new KeyferryError('key_not_found', `There is no value of key ${keyId}.`);
  const { version, ciphertext, encryption_key_id: encryptionKeyId, readable_until: readableUntil } = row;
  if (version === null || !ciphertext || encryptionKeyId === null)
    throw new KeyferryError(
      'version_gone',
      `No version ${wanted?.version ?? row.current} of "${row.local_path}" is kept.`,
    );
  if (wanted && version !== row.current && (!readableUntil || readableUntil <= wanted.now))
    throw new KeyferryError('version_unreadable', `Version ${version} of "${row.local_path}" may be read no longer.`);
  return await keys.unseal({ ciphertext, encryptionKeyId }, valueBinding(row.tenant_id, keyId, version));
}
