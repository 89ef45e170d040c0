import type { KeyState, KeyType } from '@keyferry/core';
import { sql } from 'kysely';
import type { Tx } from './database.ts';
import { valueBinding } from './encryption/bindings.ts';
import type { TenantKeys } from './encryption/tenant-keys.ts';

/** A key with one of its versions, sealed. */
export interface StoredSecret {
  id: string;
  tenantId: string;
  backendId: string;
  /** The backend's name, also of one that was removed. */
  backend: string;
  localPath: string;
  type: KeyType;
  state: KeyState;
  /** By a person, who has not lifted it. */
  revoked: boolean;
  expiresAt: Date | null;
  /** The number of the version that is served. */
  current: number;
  /** Null where the version that was asked for is not kept. */
  version: SealedVersion | null;
}

export interface SealedVersion {
  number: number;
  ciphertext: Buffer;
  encryptionKeyId: string;
  contentType: string;
  remoteVersion: string | null;
  readableUntil: Date | null;
}

/** The keys of these local paths with their current version each, or the one of this number: one statement for all. */
export async function readSecrets(
  tx: Tx,
  localPaths: readonly string[],
  version: number | null = null,
): Promise<StoredSecret[]> {
  const rows = await tx
    .selectFrom('keys as k')
    .innerJoin('backends as b', 'b.id', 'k.backend_id')
    .leftJoin('key_versions as v', (join) =>
      join.onRef('v.key_id', '=', 'k.id').on((eb) => eb('v.version', '=', version ?? eb.ref('k.version'))),
    )
    .select([
      'k.id',
      'k.tenant_id',
      'k.backend_id',
      'b.name as backend',
      'k.local_path',
      'k.type',
      'k.state',
      'k.revoked',
      'k.expires_at',
      'k.version as current',
      'v.version',
      'v.ciphertext',
      'v.encryption_key_id',
      'v.content_type',
      'v.readable_until',
      // A new version of the vault that has the same value is noted with the key alone.
      sql<string | null>`CASE WHEN v.version = k.version AND k.local_digest = k.remote_digest THEN k.remote_version
        ELSE v.remote_version END`.as('remote_version'),
    ])
    .where('k.local_path', '=', sql<string>`ANY(${localPaths}::text[])`)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    tenantId: row.tenant_id,
    backendId: row.backend_id,
    backend: row.backend,
    localPath: row.local_path,
    type: row.type,
    state: row.state,
    revoked: row.revoked,
    expiresAt: row.expires_at,
    current: row.current,
    version:
      row.version === null || !row.ciphertext || row.encryption_key_id === null || row.content_type === null
        ? null
        : {
            number: row.version,
            ciphertext: row.ciphertext,
            encryptionKeyId: row.encryption_key_id,
            contentType: row.content_type,
            remoteVersion: row.remote_version,
            readableUntil: row.readable_until,
          },
  }));
}

/** The plaintext of a version. Rejects with `decryption_failed`. */
export const openVersion = (
  { id, tenantId }: Pick<StoredSecret, 'id' | 'tenantId'>,
  { ciphertext, encryptionKeyId, number }: SealedVersion,
  keys: TenantKeys,
): Promise<Buffer> => keys.unseal({ ciphertext, encryptionKeyId }, valueBinding(tenantId, id, number));

/** Which keys there are, by name. */
export interface NamedKey {
  path: string;
  backendId: string;
  /** Its name, also where it was removed. */
  backend: string;
}

/** Keys that are served and whose path begins so, in the order of their paths, after the one that is given. */
export async function listServedKeys(
  tx: Tx,
  { prefix, after, limit, now }: { prefix: string; after: string | null; limit: number; now: Date },
): Promise<NamedKey[]> {
  let query = tx
    .selectFrom('keys as k')
    .innerJoin('backends as b', 'b.id', 'k.backend_id')
    .select(['k.local_path as path', 'k.backend_id as backendId', 'b.name as backend'])
    .where('k.state', 'in', ['active', 'deprecated'])
    .where((eb) => eb.or([eb('k.expires_at', 'is', null), eb('k.expires_at', '>', now)]))
    .orderBy('k.local_path')
    .limit(limit);
  // The first bound is what an index can be read by; the other is exact.
  if (prefix)
    query = query.where('k.local_path', '>=', prefix).where(sql<boolean>`starts_with(k.local_path, ${prefix})`);
  if (after !== null) query = query.where('k.local_path', '>', after);
  return await query.execute();
}
