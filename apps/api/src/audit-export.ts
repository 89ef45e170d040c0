import { type AuditFilter, type AuditPlace, readAudit, type Store } from '@keyferry/store';
import { showAuditRow } from './answers/audit.ts';

/** So many rows are in memory at a time. */
const rowsAtATime = 1_000;

/** The rows that match, one JSON object a line; the next are read when those before were taken. */
export async function* exportAudit(store: Store, tenantId: string, filter: AuditFilter): AsyncGenerator<string> {
  let after: AuditPlace | undefined;
  for (;;) {
    const page = { limit: rowsAtATime, ...(after && { after }) };
    const rows = await store.inTenant(tenantId, (tx) => readAudit(tx, filter, page));
    if (rows.length > 0) yield rows.map((row) => `${JSON.stringify(showAuditRow(row))}\n`).join('');
    after = rows.at(-1);
    if (rows.length < rowsAtATime) return;
  }
}
