import { sql } from 'kysely';
import type { Store, Tx } from '../database.ts';
import { batchTimes, type LinkedBatch, linkHash, rowText } from './chain.ts';

/** So many rows are sealed in a transaction, of so many batches at most. */
const rowsAtATime = 50_000;
const batchesAtATime = 2_000;

export async function tenantsWithUnsealedAudit(store: Store): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`SELECT keyferry.tenants_with_unsealed_audit() AS id`.execute(store.global);
  return rows.map((row) => row.id);
}

/**
 * Puts batches that are not sealed yet into the tenant's chain, in the order in which they were begun; what is committed
 * after a later one comes after it in the chain. One does it at a time for a tenant: a second one finds nothing to do. Returns
 * how many batches were sealed, and whether there may be more.
 */
export async function sealAudit(tx: Tx, tenantId: string, now: Date): Promise<{ sealed: number; more: boolean }> {
  const head = await lockChain(tx, tenantId);
  if (!head) return { sealed: 0, more: false };
  const { rows: batches } = await sql<Omit<LinkedBatch, 'number'>>`
    WITH waiting AS (SELECT id, tenant_id, rows, at, last_at, sum(rows) OVER (ORDER BY id) - rows AS before
      FROM audit_batches WHERE number IS NULL ORDER BY id LIMIT ${batchesAtATime})
    SELECT b.id, b.rows, ${batchTimes}, r.digest FROM waiting b CROSS JOIN LATERAL (
      SELECT sha256(convert_to(coalesce(string_agg(${rowText}, E'\n' ORDER BY a.place), ''), 'UTF8')) AS digest
      FROM audit_log a WHERE a.batch = b.id AND a.tenant_id = b.tenant_id) r
    WHERE b.before < ${rowsAtATime} ORDER BY b.id`.execute(tx);
  if (batches.length === 0) return { sealed: 0, more: false };
  let { head_number: number, head_hash: hash } = head;
  const hashes = batches.map((batch) => {
    number++;
    hash = linkHash(hash, tenantId, { ...batch, number });
    return hash;
  });
  await sql`
    UPDATE audit_batches b SET number = ${head.head_number} + s.place, digest = s.digest, hash = s.hash, sealed_at = ${now}
    FROM unnest(${batches.map(({ id }) => id)}::bigint[], ${batches.map(({ digest }) => digest)}::bytea[],
      ${hashes}::bytea[]) WITH ORDINALITY AS s (id, digest, hash, place)
    WHERE b.id = s.id`.execute(tx);
  await tx.updateTable('audit_chains').set({ head_number: number, head_hash: hash }).execute();
  const sealed = batches.length;
  const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
  return { sealed, more: sealed === batchesAtATime || rows >= rowsAtATime };
}

/** The chain's head, held until the transaction ends; null where somebody else has it. */
async function lockChain(tx: Tx, tenantId: string) {
  await tx
    .insertInto('audit_chains')
    .values({ tenant_id: tenantId })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await tx
    .selectFrom('audit_chains')
    .select(['head_number', 'head_hash'])
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  return row ?? null;
}
