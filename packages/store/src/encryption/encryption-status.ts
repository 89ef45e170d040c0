import { sql } from 'kysely';
import type { Store } from '../database.ts';
import type { KeyManager } from './keyring.ts';
import { masterKeyUses } from './master-key.ts';
import { countSealed } from './sealed-columns.ts';

export interface MasterKeyStatus {
  id: string;
  /** Null where this process doesn't hold it. */
  kind: 'local' | 'transit' | 'kms' | null;
  current: boolean;
  /** How many data keys of all tenants it wraps. One that wraps none is needed no longer. */
  data_keys: number;
  created_at: Date;
}

export interface DataKeyStatus {
  id: string;
  purpose: 'data' | 'digest';
  state: 'announced' | 'current' | 'retired' | 'destroyed';
  master_key_id: string;
  current_from: Date;
  retired_at: Date | null;
  /** How many ciphertexts a retired key has left; null of others. */
  ciphertexts: number | null;
}

export async function masterKeyStatuses(store: Store, { masterKeys }: KeyManager): Promise<MasterKeyStatus[]> {
  const uses = await masterKeyUses(store);
  const known = await store.global
    .selectFrom('master_keys')
    .select(['id', 'created_at'])
    .orderBy('created_at')
    .execute();
  return known.map(({ id, created_at }) => ({
    id,
    kind: masterKeys.kindOf(id),
    current: id === masterKeys.current.id,
    data_keys: uses.get(id) ?? 0,
    created_at,
  }));
}

/** How many tenants a rewrap has something to do for. */
export async function countTenantsToRewrap(store: Store, { masterKeys }: KeyManager): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*) AS count FROM keyferry.tenants_to_rewrap(${masterKeys.current.id})`.execute(store.global);
  return rows[0]?.count ?? 0;
}

export async function dataKeyStatuses(store: Store, tenantId: string): Promise<DataKeyStatus[]> {
  return await store.inTenant(tenantId, async (tx) => {
    const { rows } = await sql<Omit<DataKeyStatus, 'ciphertexts'>>`
      SELECT id, purpose, master_key_id, current_from, retired_at,
        CASE WHEN destroyed_at IS NOT NULL THEN 'destroyed' WHEN retired_at <= clock_timestamp() THEN 'retired'
          WHEN current_from > clock_timestamp() THEN 'announced' ELSE 'current' END AS state
      FROM encryption_keys ORDER BY purpose, current_from, id`.execute(tx);
    const retired = rows.filter(({ state }) => state === 'retired').map(({ id }) => id);
    const left = await countSealed(tx, retired);
    return rows.map((row) => ({ ...row, ciphertexts: left.get(row.id) ?? null }));
  });
}
