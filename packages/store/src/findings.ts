import type { Problem } from '@keyferry/core';
import { sql } from 'kysely';
import type { Cycle } from './cycles.ts';
import type { Tx } from './database.ts';
import { remoteHash } from './hash.ts';
import { printable } from './printable.ts';

/** What validation says of one secret that was read. */
export interface Finding {
  remotePath: string;
  remoteRevision: string | null;
  rejected: boolean;
  /** Empty where nothing is wrong: then what was found before is forgotten. */
  problems: readonly Problem[];
}

/**
 * Notes what is wrong with secrets, and forgets it of those that are well again. Returns the remote paths of those of which
 * this is news.
 */
export async function noteFindings(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'tenant_id' | 'backend_id'>,
  findings: readonly Finding[],
  now: Date,
): Promise<Set<string>> {
  const wrong = findings.filter(({ problems }) => problems.length > 0);
  const well = findings.filter(({ problems }) => problems.length === 0);
  if (well.length > 0)
    await sql`DELETE FROM findings f USING unnest(${well.map((one) => remoteHash(one.remotePath))}::bytea[]) AS well (hash)
      WHERE f.backend_id = ${cycle.backend_id} AND f.remote_hash = well.hash`.execute(tx);
  if (wrong.length === 0) return new Set();
  const column = <T>(pick: (finding: Finding) => T) => wrong.map(pick);
  const { rows } = await sql<{ remote_path: string; is_news: boolean }>`
    WITH w AS (SELECT * FROM unnest(${column((f) => remoteHash(f.remotePath))}::bytea[],
        ${column((f) => f.remotePath)}::text[], ${column((f) => f.rejected)}::boolean[],
        ${column((f) => JSON.stringify(f.problems.map(storable)))}::jsonb[], ${column((f) => f.remoteRevision)}::text[])
        AS w (remote_hash, remote_path, rejected, problems, remote_revision)),
    before AS (SELECT f.* FROM findings f JOIN w USING (remote_hash) WHERE f.backend_id = ${cycle.backend_id}),
    written AS (
      INSERT INTO findings AS f (backend_id, remote_hash, tenant_id, remote_path, rejected, problems,
        remote_revision, since, found_in)
      SELECT ${cycle.backend_id}, remote_hash, ${cycle.tenant_id}, remote_path, rejected, problems,
        remote_revision, ${now}::timestamptz, ${cycle.id}
      FROM w ORDER BY remote_hash
      ON CONFLICT (backend_id, remote_hash) DO UPDATE SET found_in = EXCLUDED.found_in,
        problems = EXCLUDED.problems, remote_revision = EXCLUDED.remote_revision, rejected = EXCLUDED.rejected,
        since = CASE WHEN f.rejected = EXCLUDED.rejected THEN f.since ELSE EXCLUDED.since END)
    SELECT w.remote_path,
      (b.remote_hash IS NULL OR (b.rejected, b.problems) IS DISTINCT FROM (w.rejected, w.problems)
        OR b.remote_revision IS DISTINCT FROM w.remote_revision) AS is_news
    FROM w LEFT JOIN before b USING (remote_hash)`.execute(tx);
  return new Set(rows.filter(({ is_news }) => is_news).map(({ remote_path }) => remote_path));
}

const storable = ({ code, message }: Problem): Problem => ({ code, message: printable(message) });

/** Forgets refusals of secrets that a whole cycle, which read all others, did not come upon again. */
export async function forgetFindings(tx: Tx, cycle: Pick<Cycle, 'backend_id' | 'opened_at'>): Promise<void> {
  await sql`DELETE FROM findings f WHERE f.backend_id = ${cycle.backend_id} AND f.rejected
    AND NOT EXISTS (SELECT FROM cycles c WHERE c.id = f.found_in AND c.opened_at >= ${cycle.opened_at})`.execute(tx);
}
