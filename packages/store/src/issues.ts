import type { Selectable } from 'kysely';
import type { Tx } from './database.ts';
import type { Database } from './schema.ts';

export type CycleIssue = Pick<
  Selectable<Database['cycle_issues']>,
  'id' | 'remote_path' | 'outcome' | 'code' | 'class' | 'message'
>;

/** A cycle's issues in the order in which they were found, after the cursor if there is one. */
export async function listIssues(
  tx: Tx,
  cycleId: string,
  page: { after?: number; limit: number },
): Promise<CycleIssue[]> {
  return await tx
    .selectFrom('cycle_issues')
    .select(['id', 'remote_path', 'outcome', 'code', 'class', 'message'])
    .where('cycle_id', '=', cycleId)
    .where('id', '>', page.after ?? 0)
    .orderBy('id')
    .limit(page.limit)
    .execute();
}
