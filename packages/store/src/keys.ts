import { KeyferryError, type KeyState } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import type { Tx } from './database.ts';
import type { TenantKeys } from './encryption/keyring.ts';
import { valueBinding } from './encryption/keyring.ts';
import type { Database } from './schema.ts';

const shown = [
  'id',
  'backend_id',
  'remote_path',
  'local_path',
  'type',
  'state',
  'revoked',
  'version',
  'content_type',
  'metadata',
  'remote_version',
  'expires_at',
  'state_changed_at',
  'deprecated_at',
  'last_seen_at',
  'created_at',
  'updated_at',
] as const;

export type Key = Pick<Selectable<Database['keys']>, (typeof shown)[number]>;

/** Keys in the order of their local paths, after the cursor if there is one. */
export async function listKeys(
  tx: Tx,
  filter: { state?: KeyState; backendId?: string; prefix?: string; after?: string; limit: number },
): Promise<Key[]> {
  let query = tx.selectFrom('keys').select(shown).orderBy('local_path').limit(filter.limit);
  if (filter.state) query = query.where('state', '=', filter.state);
  if (filter.backendId) query = query.where('backend_id', '=', filter.backendId);
  if (filter.prefix) query = query.where(sql<boolean>`starts_with(local_path, ${filter.prefix})`);
  if (filter.after !== undefined) query = query.where('local_path', '>', filter.after);
  return await query.execute();
}

/** By local path or id. Throws `key_not_found`. */
export async function getKey(tx: Tx, pathOrId: string): Promise<Key> {
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(pathOrId);
  const row = await tx
    .selectFrom('keys')
    .select(shown)
    .where((eb) =>
      isId ? eb.or([eb('id', '=', pathOrId), eb('local_path', '=', pathOrId)]) : eb('local_path', '=', pathOrId),
    )
    // A path that looks like another key's id must not stand in for that key.
    .orderBy(sql`id::text = ${pathOrId}`, 'desc')
    .executeTakeFirst();
  if (!row) throw new KeyferryError('key_not_found', `There is no key "${pathOrId}".`);
  return row;
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

/** The plaintext of a key's current version. */
export async function openValue(tx: Tx, keyId: string, keys: TenantKeys): Promise<Buffer> {
  const row = await tx
    .selectFrom('keys as k')
    .innerJoin('key_versions as v', (join) => join.onRef('v.key_id', '=', 'k.id').onRef('v.version', '=', 'k.version'))
    .select(['k.tenant_id', 'v.version', 'v.ciphertext', 'v.encryption_key_id'])
    .where('k.id', '=', keyId)
    .executeTakeFirst();
  if (!row) throw new KeyferryError('key_not_found', `There is no value of key ${keyId}.`);
  return keys.unseal(
    { ciphertext: row.ciphertext, encryptionKeyId: row.encryption_key_id },
    valueBinding(row.tenant_id, keyId, row.version),
  );
}
