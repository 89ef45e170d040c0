import { sql } from 'kysely';
import { audit } from '../audit/audit.ts';
import type { Store } from '../database.ts';
import { wrappingBinding } from './bindings.ts';
import type { MasterKeys } from './master-keys.ts';

/** So many are asked of a provider at a time. */
const atATime = 4;

/** A data key as a rewrap looks at it. Times are in milliseconds from Postgres's now. */
export interface RewrapRow {
  id: string;
  purpose: 'data' | 'digest';
  master_key_id: string;
  wrapped: Buffer;
  /** Null where it is not retired; above 0 where it is about to be. */
  retired_in: number | null;
}

/** A tenant's data keys but for those that were destroyed. */
export async function rewrapRows(store: Store, tenantId: string): Promise<RewrapRow[]> {
  return await store.inTenant(tenantId, async (tx) => {
    const { rows } = await sql<RewrapRow>`
      SELECT id, purpose, master_key_id, wrapped,
        extract(epoch FROM retired_at - clock_timestamp())::float8 * 1000 AS retired_in
      FROM encryption_keys WHERE destroyed_at IS NULL ORDER BY current_from, id`.execute(tx);
    return rows;
  });
}

/**
 * Wraps data keys anew by the current master key where another one has; each only if it is still as it was read, which the
 * audit log tells. Returns how many were. Rejects as `MasterKeys.unwrap` does.
 */
export async function wrapAnew(
  store: Store,
  masterKeys: MasterKeys,
  tenantId: string,
  rows: readonly RewrapRow[],
  { actor, now }: { actor: string; now: Date },
): Promise<number> {
  const { current } = masterKeys;
  const wanted = rows.filter(({ master_key_id }) => master_key_id !== current.id);
  let done = 0;
  for (let start = 0; start < wanted.length; start += atATime) {
    const some = wanted.slice(start, start + atATime);
    const wrapped = await Promise.all(some.map((row) => wrapOne(masterKeys, tenantId, row)));
    done += await store.inTenant(tenantId, async (tx) => {
      const { numAffectedRows } =
        await sql`UPDATE encryption_keys e SET wrapped = w.wrapped, master_key_id = ${current.id}
        FROM unnest(${some.map(({ id }) => id)}::uuid[], ${some.map((row) => row.wrapped)}::bytea[], ${wrapped}::bytea[])
          AS w (id, before, wrapped)
        WHERE e.id = w.id AND e.wrapped = w.before`.execute(tx);
      const data_keys = Number(numAffectedRows ?? 0);
      const details = { data_keys, master_key: current.id };
      const entry = { actor, action: 'encryption.rewrapped', target: 'data keys', details };
      if (data_keys > 0) await audit(tx, tenantId, entry, now);
      return data_keys;
    });
  }
  return done;
}

async function wrapOne(masterKeys: MasterKeys, tenantId: string, row: RewrapRow): Promise<Buffer> {
  const binding = wrappingBinding(tenantId, row.id, row.purpose);
  const bytes = await masterKeys.unwrap(row.master_key_id, row.wrapped, binding);
  try {
    return await masterKeys.current.wrap(bytes, binding);
  } finally {
    bytes.fill(0);
  }
}
