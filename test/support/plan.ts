import { type PlanChange, type PlanSummary, planSync, requestPlan } from '@keyferry/pipeline';
import type { Backend } from '@keyferry/store';
import type { House } from './house.ts';
import { asAdmin } from './test-postgres.ts';

export interface Plan {
  changes: PlanChange[];
  summary: PlanSummary;
}

/** The plan of a cycle of this moment. */
export async function planOf(house: House, backend: Pick<Backend, 'id'>): Promise<Plan> {
  const { services, tenantId } = house;
  const asked = await requestPlan(services, { tenantId, backend: backend.id, requestedBy: 'test' });
  const plan = planSync(services, asked, new AbortController().signal);
  const changes: PlanChange[] = [];
  for (;;) {
    const { done, value } = await plan.next();
    if (done) return { changes, summary: value };
    changes.push(value);
  }
}

/** Every row of every table but the audit log, with the transaction that wrote it. */
export async function everyRow(ownerUrl: string): Promise<Record<string, string[]>> {
  return await asAdmin(ownerUrl, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'keyferry' AND tablename NOT IN ('audit_log', 'audit_batches')",
    );
    const all: Record<string, string[]> = {};
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(
        `SELECT xmin::text || ' ' || md5(t::text) AS row FROM keyferry.${name} t ORDER BY 1`,
      );
      all[name] = rows.map(({ row }) => row);
    }
    return all;
  });
}
