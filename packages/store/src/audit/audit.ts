import { sql } from 'kysely';
import type { Tx } from '../database.ts';
import { requestContext } from './request-context.ts';

export interface AuditEntry {
  actor: string;
  /** What was done, as `backend.created`. */
  action: string;
  target: string;
  /** Never a value, never a credential. */
  details?: Record<string, unknown>;
}

/** done: an act; the other three are of requests: a value or names were told, refused, or not to be had. */
export const auditOutcomes = ['done', 'read', 'refused', 'failed'] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

/** Writes who did what, in the transaction that does it: a batch of its own, which is sealed with all that are there. */
export async function audit(tx: Tx, tenantId: string, entry: AuditEntry, now: Date): Promise<void> {
  const { actor, action, target, details = {} } = entry;
  const { requestId = null, address = null } = requestContext.getStore() ?? {};
  await sql`
    WITH batch AS (INSERT INTO audit_batches (tenant_id, rows, at, last_at)
        VALUES (${tenantId}, 1, ${now}, ${now}) RETURNING id, tenant_id, at)
    INSERT INTO audit_log (tenant_id, batch, place, at, actor, action, target, outcome, request_id, address, details)
    SELECT tenant_id, id, 1, at, ${actor}, ${action}, ${target}, 'done', ${requestId}::uuid, ${address},
      ${JSON.stringify(details)}::jsonb FROM batch`.execute(tx);
}
