import { sql } from 'kysely';
import type { Store, Tx } from '../database.ts';
import { audit } from './audit.ts';

/** So many batches are pruned in a transaction. */
const batchesAtATime = 5_000;

/** How long rows of the tenant are kept, in seconds. */
export async function auditRetention(tx: Tx): Promise<number> {
  const { rows } = await sql<{ seconds: number }>`
    SELECT coalesce((SELECT retention_seconds FROM audit_chains), ${defaultRetentionSeconds})::bigint AS seconds`.execute(
    tx,
  );
  return rows[0]?.seconds ?? defaultRetentionSeconds;
}

/** Where a tenant says nothing. */
const defaultRetentionSeconds = 365 * 86_400;

export async function setAuditRetention(tx: Tx, tenantId: string, seconds: number): Promise<void> {
  await tx
    .insertInto('audit_chains')
    .values({ tenant_id: tenantId, retention_seconds: seconds })
    .onConflict((conflict) => conflict.column('tenant_id').doUpdateSet({ retention_seconds: seconds }))
    .execute();
}

/** Tenants that something is to be pruned of, those that rest or are deleted as well. */
export async function tenantsWithAuditToPrune(store: Store): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`SELECT keyferry.tenants_with_audit_to_prune() AS id`.execute(store.global);
  return rows.map((row) => row.id);
}

/**
 * Removes what is older than the tenant keeps: whole batches from the beginning of the chain, which is told in the log. The
 * database decides by its own clock what is old enough. Returns how many batches were removed, and whether there may be more.
 */
export async function pruneAudit(
  store: Store,
  tenantId: string,
  now: Date,
): Promise<{ pruned: number; more: boolean }> {
  return await store.inTenant(tenantId, async (tx) => {
    const { rows } = await sql<{ batches: number; rows: number; number: number; hash: Buffer }>`
      SELECT * FROM keyferry.prune_audit(${batchesAtATime})`.execute(tx);
    const [pruned] = rows;
    if (!pruned) return { pruned: 0, more: false };
    const { batches, number, hash } = pruned;
    const details = { number, hash: hash.toString('hex'), batches, rows: pruned.rows };
    await audit(tx, tenantId, { actor: 'retention', action: 'audit.pruned', target: 'audit log', details }, now);
    return { pruned: batches, more: batches === batchesAtATime };
  });
}
