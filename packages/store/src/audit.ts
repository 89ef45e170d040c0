import type { Tx } from './database.ts';

export interface AuditEntry {
  actor: string;
  /** What was done, as `backend.created`. */
  action: string;
  target: string;
  /** Never a value, never a credential. */
  details?: Record<string, unknown>;
}

/** Writes who did what, in the transaction that does it. */
export async function audit(tx: Tx, tenantId: string, entry: AuditEntry, now: Date): Promise<void> {
  await tx
    .insertInto('audit_log')
    .values({
      tenant_id: tenantId,
      at: now,
      actor: entry.actor,
      action: entry.action,
      target: entry.target,
      details: JSON.stringify(entry.details ?? {}),
    })
    .execute();
}
