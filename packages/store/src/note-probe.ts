import { sql } from 'kysely';
import type { Backend } from './backends.ts';
import type { Tx } from './database.ts';

/** Notes what the latest probe of a backend showed. What its settings of meanwhile lead to is not known yet. */
export async function noteProbe(
  tx: Tx,
  { id, config }: Pick<Backend, 'id' | 'config'>,
  probe: { latencyMs: number; server: string | null; containerId: string | null },
): Promise<void> {
  await tx
    .updateTable('backends')
    .set({
      latency_ms: Math.round(probe.latencyMs),
      server: probe.server,
      container_id: sql`CASE WHEN config = ${JSON.stringify(config)}::jsonb THEN coalesce(container_id, ${probe.containerId})
        ELSE container_id END`,
    })
    .where('id', '=', id)
    .execute();
}
