import { sql } from 'kysely';
import type { Store, Tx } from './database.ts';

/** What nobody needs any more is removed: set-based, so many rows at a time. */

/** Those that something is done for: the suspended ones rest. */
export async function allTenants(store: Store): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`SELECT keyferry.all_tenants() AS id`.execute(store.global);
  return rows.map((row) => row.id);
}

/** All that are not deleted: what is done to what they have, not for them. */
export async function keptTenants(store: Store): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`SELECT keyferry.tenants_kept() AS id`.execute(store.global);
  return rows.map((row) => row.id);
}

/** Removes locked keys, values and backups and all. The audit log and their story keep that they were. */
export async function purgeKeys(tx: Tx, keyIds: readonly string[], now: Date): Promise<void> {
  if (keyIds.length === 0) return;
  await sql`
    WITH backups AS (DELETE FROM backups WHERE key_id = ANY(${keyIds}::uuid[])),
    findings AS (DELETE FROM findings f USING keys k
      WHERE k.id = ANY(${keyIds}::uuid[]) AND f.backend_id = k.backend_id AND f.remote_hash = k.remote_hash),
    purged AS (DELETE FROM keys k WHERE k.id = ANY(${keyIds}::uuid[])
               RETURNING k.tenant_id, k.id, k.backend_id, k.local_path, k.remote_path, k.state),
    told AS (INSERT INTO key_changes (tenant_id, key_id, at, change, from_state)
      SELECT tenant_id, id, ${now}, 'purged', state FROM purged),
    batch AS (INSERT INTO audit_batches (tenant_id, rows, at, last_at)
      SELECT tenant_id, count(*), ${now}, ${now} FROM purged GROUP BY tenant_id RETURNING id, tenant_id, at)
    INSERT INTO audit_log (tenant_id, batch, place, at, outcome, actor, action, target, details)
      SELECT tenant_id, b.id, row_number() OVER (), b.at, 'done', 'sweep', 'key.purged', p.local_path,
        jsonb_build_object('key_id', p.id, 'backend_id', p.backend_id, 'remote_path', p.remote_path)
      FROM batch b JOIN purged p USING (tenant_id)`.execute(tx);
}

/** Most cycles that one statement drops. */
const pruneBatch = 5_000;

/**
 * Drops closed cycles with their shards, issues and failures: soon those in which nothing happened, later all. Of the
 * other completed ones the issues go soon too, unless they are a backend's newest. Lets go of shards that nobody can
 * resume any more. Returns whether there is more to drop.
 */
export async function pruneCycles(tx: Tx, before: { shards: Date; quiet: Date; all: Date }): Promise<boolean> {
  await sql`DELETE FROM shards s USING cycles c
    WHERE c.id = s.cycle_id AND c.state <> 'open' AND c.closed_at < ${before.shards}`.execute(tx);
  // What can't be carried is reported anew by each cycle; the newest report is kept however old it is, and failed ones.
  await sql`DELETE FROM cycle_issues i USING cycles c
    WHERE c.id = i.cycle_id AND c.state = 'completed' AND c.closed_at < ${before.quiet}
      AND EXISTS (SELECT FROM cycles n WHERE n.backend_id = c.backend_id AND n.opened_at > c.opened_at)`.execute(tx);
  const dropped = await sql`DELETE FROM cycles WHERE id IN (
    SELECT id FROM cycles WHERE state <> 'open' AND (closed_at < ${before.all} OR (
      closed_at < ${before.quiet} AND state = 'completed' AND issues = 0
      AND NOT jsonb_path_exists(counts,
        '$ ? (@.added > 0 || @.updated > 0 || @.restored > 0 || @.deprecated > 0 || @.renamed > 0 || @.held > 0 || @.gone > 0)')))
    LIMIT ${pruneBatch})`.execute(tx);
  return Number(dropped.numAffectedRows ?? 0) === pruneBatch;
}
