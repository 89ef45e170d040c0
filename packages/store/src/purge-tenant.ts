import { type RawBuilder, sql } from 'kysely';
import { asTenant } from './as-tenant.ts';
import { audit } from './audit/audit.ts';
import type { Store, Tx } from './database.ts';

/** The rows of a deleted tenant, which nobody can open any more. What names who did what stays: audit log, key_changes. */

export async function tenantsToPurge(store: Store, before: Date): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`SELECT keyferry.tenants_to_purge(${before}) AS id`.execute(store.global);
  return rows.map(({ id }) => id);
}

/** In the order in which they refer to each other; what goes with a key, a cycle or a hold is not named. */
export const purgedTables = [
  'keys',
  'backups',
  'cycles',
  'holds',
  'findings',
  'write_intents',
  'notices',
  'notification_rules',
  'notification_cursors',
  'channels',
  'outbox',
  'tenant_events',
  'idempotent_requests',
  'backends',
  'policies',
  'token_issuers',
  'encryption_keys',
  'key_counts',
] as const;

/** Tables without an index that begins with the tenant. */
const ofBackends: readonly string[] = ['findings', 'write_intents'];

/**
 * Removes some rows of the transaction's tenant, of one table; one does it at a time, and it goes on wherever it was left.
 * Returns how many were removed, 0 once there are none.
 */
export async function purgeTenantRows(tx: Tx, limit: number): Promise<number> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended('purge:' || keyferry.current_tenant(), 0))`.execute(tx);
  for (const table of purgedTables) {
    const { numAffectedRows } = await sql`
      DELETE FROM ${sql.table(table)}
      WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${sql.table(table)} ${onlyOwn(table)} LIMIT ${limit}))`.execute(tx);
    const removed = Number(numAffectedRows ?? 0);
    if (removed > 0) return removed;
  }
  return 0;
}

const onlyOwn = (table: string): RawBuilder<unknown> =>
  ofBackends.includes(table) ? sql`WHERE backend_id = ANY(ARRAY(SELECT id FROM backends))` : sql``;

/** Notes that nothing is left, once; in a transaction of `asOperator`. */
export async function notePurged(tx: Tx, tenantId: string, now: Date): Promise<void> {
  const purged = await tx
    .updateTable('tenants')
    .set({ purged_at: now })
    .where('id', '=', tenantId)
    .where('state', '=', 'deleted')
    .where('purged_at', 'is', null)
    .returning('name')
    .executeTakeFirst();
  if (!purged) return;
  const entry = { actor: 'sweep', action: 'tenant.purged', target: purged.name, details: { tenant_id: tenantId } };
  await asTenant(tx, tenantId, () => audit(tx, tenantId, entry, now));
}
