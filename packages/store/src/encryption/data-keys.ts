import { randomBytes, randomUUID } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';
import { sql } from 'kysely';
import { raiseAccessRevision } from '../access-revision.ts';
import { audit } from '../audit/audit.ts';
import type { Store, Tx } from '../database.ts';
import { refuseDeleted } from '../tenant-standing.ts';
import { wrappingBinding } from './bindings.ts';
import type { MasterKeys } from './master-keys.ts';

/** A tenant's keys as they are stored. The times are Postgres's: one clock for all processes. */
export interface DataKeyRow {
  id: string;
  purpose: 'data' | 'digest';
  master_key_id: string;
  wrapped: Buffer;
  destroyed: boolean;
  /** Milliseconds from now until it is used for what is sealed; 0 or less where it is. */
  due_in: number;
}

/**
 * How long a new data key is known before anybody seals with it. Processes look for new ones more often than that, so that
 * none meets a ciphertext of a key it doesn't know.
 */
const announcementMs = 6_000;

/**
 * Keys, and the revision that is raised when they change: read first, so that no change is missed. Throws `tenant_not_found` for
 * a tenant that is deleted.
 */
export async function readDataKeys(store: Store, tenantId: string): Promise<{ revision: number; rows: DataKeyRow[] }> {
  return await store.inTenant(tenantId, async (tx) => {
    await refuseDeleted(tx);
    const found = await tx.selectFrom('access_revisions').select('revision').executeTakeFirst();
    const { rows } = await sql<DataKeyRow>`
      SELECT id, purpose, master_key_id, wrapped, destroyed_at IS NOT NULL AS destroyed,
        extract(epoch FROM current_from - clock_timestamp())::float8 * 1000 AS due_in
      FROM encryption_keys ORDER BY current_from, id`.execute(tx);
    return { revision: found?.revision ?? 0, rows };
  });
}

const purposes = ['data', 'digest'] as const;

/** The first keys of a tenant. Two processes may meet here: the index on current keys lets one of them win. */
export async function makeMissingKeys(
  store: Store,
  masterKeys: MasterKeys,
  tenantId: string,
  present: readonly DataKeyRow[],
): Promise<boolean> {
  const missing = purposes.filter((purpose) => !present.some((row) => row.purpose === purpose));
  if (missing.length === 0) return false;
  const rows = await Promise.all(missing.map((purpose) => newKey(masterKeys, tenantId, purpose)));
  await store.inTenant(tenantId, async (tx) => {
    await refuseDeleted(tx);
    await tx
      .insertInto('encryption_keys')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  });
  return true;
}

async function newKey({ current }: MasterKeys, tenantId: string, purpose: DataKeyRow['purpose']) {
  const id = randomUUID();
  const bytes = randomBytes(32);
  try {
    const wrapped = await current.wrap(bytes, wrappingBinding(tenantId, id, purpose));
    return { id, tenant_id: tenantId, purpose, master_key_id: current.id, wrapped };
  } finally {
    bytes.fill(0);
  }
}

/** What became of a rotation. */
export interface RotatedDataKey {
  id: string;
  /** Null where another rotation has just begun, and this is its key. */
  retired: string | null;
  /** When processes begin to seal with it. */
  current_from: Date;
}

/**
 * Gives a tenant a new data key, and retires the one before: it opens what it has sealed until `rewrap` has sealed that anew.
 * The tenant has keys already. Throws `data_keys_destroyed`.
 */
export async function rotateDataKey(
  store: Store,
  masterKeys: MasterKeys,
  tenantId: string,
  { actor, now, announceMs = announcementMs }: { actor: string; now: Date; announceMs?: number },
): Promise<RotatedDataKey> {
  const added = await newKey(masterKeys, tenantId, 'data');
  return await store.inTenant(tenantId, async (tx) => {
    const { rows } = await sql<{ id: string; current_from: Date; destroyed: boolean; announced: boolean }>`
      SELECT id, current_from, destroyed_at IS NOT NULL AS destroyed, current_from > clock_timestamp() AS announced
      FROM encryption_keys WHERE purpose = 'data' AND retired_at IS NULL FOR NO KEY UPDATE`.execute(tx);
    const [before] = rows;
    if (!before || before.destroyed) throw dataKeysDestroyed(tenantId);
    if (before.announced) return { id: before.id, retired: null, current_from: before.current_from };
    const from = sql<Date>`clock_timestamp() + ${announceMs} * interval '1 millisecond'`;
    const retired = await tx
      .updateTable('encryption_keys')
      .set({ retired_at: from })
      .where('id', '=', before.id)
      .returning('retired_at')
      .executeTakeFirstOrThrow();
    const current_from = retired.retired_at ?? now;
    await tx
      .insertInto('encryption_keys')
      .values({ ...added, current_from })
      .execute();
    await raiseAccessRevision(tx, tenantId);
    const details = { retired: before.id, master_key: masterKeys.current.id };
    await audit(tx, tenantId, { actor, action: 'encryption.rotated', target: added.id, details }, now);
    return { id: added.id, retired: before.id, current_from };
  });
}

/**
 * Destroys all keys of a tenant, in the transaction that deletes it: what they sealed can't be opened by anyone from then on,
 * and digests can't be compared. The rows stay, since ciphertexts refer to them; nobody gets new keys for the tenant.
 * Returns how many were destroyed. Processes that have them in memory let go of them within seconds.
 */
export async function destroyDataKeys(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx
    .updateTable('encryption_keys')
    .set({ wrapped: Buffer.alloc(0), destroyed_at: sql<Date>`clock_timestamp()` })
    .where('tenant_id', '=', tenantId)
    .where('destroyed_at', 'is', null)
    .returning('id')
    .execute();
  await raiseAccessRevision(tx, tenantId);
  return rows.length;
}

export const dataKeysDestroyed = (tenantId: string) =>
  new KeyferryError('data_keys_destroyed', `The data keys of the tenant ${tenantId} were destroyed.`);
