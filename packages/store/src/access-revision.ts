import { sql } from 'kysely';
import type { Store, Tx } from './database.ts';

/** The tenants whose revision a transaction has raised: once is enough. */
const raised = new WeakMap<Tx, Set<string>>();

/**
 * Tells every process that who may do what in this tenant has changed. In the transaction that changes it, and as the first
 * it does: such changes wait for each other, so that what one of them has looked at stays so until it ends.
 */
export async function raiseAccessRevision(tx: Tx, tenantId: string): Promise<void> {
  const tenants = raised.get(tx) ?? new Set();
  if (tenants.has(tenantId)) return;
  raised.set(tx, tenants.add(tenantId));
  await tx
    .insertInto('access_revisions')
    .values({ tenant_id: tenantId, revision: 1 })
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet({ revision: sql<number>`access_revisions.revision + 1` }),
    )
    .execute();
}

/** Of those tenants that there are. */
export async function accessRevisions(store: Store, tenantIds: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await sql<{ tenant_id: string; revision: number }>`
    SELECT * FROM keyferry.access_revisions_of(${tenantIds}::uuid[])`.execute(store.global);
  return new Map(rows.map((row) => [row.tenant_id, row.revision]));
}
