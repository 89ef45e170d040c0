import { KeyferryError } from '@keyferry/core';
import { sql } from 'kysely';
import { failCycle } from './close-cycle.ts';
import type { Tx } from './database.ts';

/**
 * Removes a backend: its name is free, its open cycles end, and workers that are in the middle of one lose it. Shards come
 * first: whoever writes one holds its row, and is waited for. Its keys are the caller's business.
 */
export async function removeBackend(tx: Tx, id: string, now: Date): Promise<void> {
  await sql`UPDATE shards s SET epoch = s.epoch + 1 FROM cycles c
    WHERE c.id = s.cycle_id AND c.backend_id = ${id} AND c.state = 'open' AND s.state = 'pending'`.execute(tx);
  await tx.updateTable('backends').set({ state: 'removed', updated_at: now }).where('id', '=', id).execute();
  const open = await tx
    .updateTable('cycles')
    .set({ epoch: sql`epoch + 1` })
    .where('backend_id', '=', id)
    .where('state', '=', 'open')
    .returningAll()
    .execute();
  for (const cycle of open)
    await failCycle(tx, cycle, new KeyferryError('backend_not_found', 'The backend was removed.'), now);
}
