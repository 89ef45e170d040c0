import { KeyferryError, type KeyState } from '@keyferry/core';
import { sql } from 'kysely';
import type { Tx } from './database.ts';
import { valueBinding } from './encryption/bindings.ts';
import type { TenantKeys } from './encryption/tenant-keys.ts';

/** A key that holds credentials of a backend. */
export interface CredentialKey {
  /** The backend it came from. */
  backendId: string;
  value: Buffer;
  /** The value before that one, or null where none is kept. */
  previous: Buffer | null;
}

/** A text that changes when any of these keys gets another value, another state, ends, or appears or goes. */
export async function credentialVersions(tx: Tx, localPaths: readonly string[], now: Date): Promise<string> {
  const rows = await tx
    .selectFrom('keys')
    .select(['id', 'version', 'state', 'expires_at'])
    .where('local_path', '=', sql<string>`ANY(${localPaths}::text[])`)
    .orderBy('id')
    .execute();
  return rows.map((row) => `${row.id}.${row.version}.${stateOf(row, now)}`).join(' ');
}

/** Its end counts from its moment on, whether or not a sweep has come by. */
function stateOf({ state, expires_at }: { state: KeyState; expires_at: Date | null }, now: Date): KeyState {
  return expires_at !== null && expires_at <= now ? 'expired' : state;
}

/**
 * The values of a key that is served. Throws `reference_unresolved` if there is none, `credentials_withdrawn` if it is no
 * longer served.
 */
export async function openCredentialKey(
  tx: Tx,
  localPath: string,
  keys: TenantKeys,
  now: Date,
): Promise<CredentialKey> {
  const rows = await tx
    .selectFrom('keys as k')
    .innerJoin('key_versions as v', 'v.key_id', 'k.id')
    .select([
      'k.id',
      'k.tenant_id',
      'k.backend_id',
      'k.state',
      'k.expires_at',
      'v.version',
      'v.ciphertext',
      'v.encryption_key_id',
    ])
    .where('k.local_path', '=', localPath)
    .orderBy('v.version', 'desc')
    .limit(2)
    .execute();
  const [row] = rows;
  const unusable = { failureClass: 'unauthenticated' } as const;
  if (!row)
    throw new KeyferryError('reference_unresolved', `There is no key "${localPath}" with credentials.`, unusable);
  const state = stateOf(row, now);
  if (state !== 'active' && state !== 'deprecated')
    throw new KeyferryError(
      'credentials_withdrawn',
      `The credentials in "${localPath}" are not used any more: that key is ${state}.`,
      unusable,
    );
  const [current, previous] = await Promise.all(
    rows.map((version) =>
      keys.unseal(
        { ciphertext: version.ciphertext, encryptionKeyId: version.encryption_key_id },
        valueBinding(version.tenant_id, version.id, version.version),
      ),
    ),
  );
  return { backendId: row.backend_id, value: current ?? Buffer.alloc(0), previous: previous ?? null };
}

/** Names of the backends whose credentials are in this key. */
export async function dependentsOf(tx: Tx, localPath: string): Promise<string[]> {
  const rows = await tx
    .selectFrom('backends')
    .select('name')
    .where('credential_paths', '@>', sql<string[]>`ARRAY[${localPath}]::text[]`)
    .where('state', '<>', 'removed')
    .orderBy('name')
    .execute();
  return rows.map(({ name }) => name);
}

/** Names of the backends whose credentials are in any of these keys. */
export async function dependentsAmong(tx: Tx, localPaths: ReadonlySet<string>): Promise<string[]> {
  const rows = await tx
    .selectFrom('backends')
    .select(['name', 'credential_paths'])
    .where('credential_paths', '<>', sql<string[]>`'{}'::text[]`)
    .where('state', '<>', 'removed')
    .orderBy('name')
    .execute();
  return rows.filter((row) => row.credential_paths.some((path) => localPaths.has(path))).map(({ name }) => name);
}

/** Names of other backends, and of channels, whose credentials are in live keys of this one. */
export async function dependentsOfBackend(tx: Tx, backendId: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT b.name FROM backends b JOIN keys k ON k.local_path = ANY(b.credential_paths)
    WHERE k.backend_id = ${backendId} AND k.state IN ('active', 'deprecated')
      AND b.id <> ${backendId} AND b.state <> 'removed'
    UNION SELECT c.name FROM channels c JOIN keys k ON k.owned_for = 'channel:' || c.id
    WHERE k.backend_id = ${backendId} AND k.state IN ('active', 'deprecated') ORDER BY name`.execute(tx);
  return rows.map(({ name }) => name);
}

/**
 * Refuses credentials in keys that come from the backend itself, or from one that depends on it: none of them could ever
 * be read again once one of them stops working. Of two changes at a time the second sees what the first has made.
 * Throws `credentials_cycle`.
 */
export async function refuseCredentialCycle(
  tx: Tx,
  backend: { id: string; tenantId: string },
  localPaths: readonly string[],
): Promise<void> {
  if (localPaths.length === 0) return;
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`credentials:${backend.tenantId}`}, 0))`.execute(tx);
  const { rows } = await sql<{ name: string; own: boolean }>`
    WITH RECURSIVE upstream (id) AS (
      SELECT backend_id FROM keys WHERE local_path = ANY(${localPaths}::text[])
      UNION SELECT k.backend_id FROM upstream u JOIN backends b ON b.id = u.id
        JOIN keys k ON k.local_path = ANY(b.credential_paths))
    SELECT b.name FROM upstream u JOIN backends b ON b.id = u.id WHERE u.id = ${backend.id}`.execute(tx);
  const [self] = rows;
  if (self)
    throw new KeyferryError(
      'credentials_cycle',
      `The credentials of "${self.name}" can’t be in ${localPaths.map((path) => `"${path}"`).join(', ')}: what is there comes from it, or from a backend whose credentials come from it.`,
    );
}
