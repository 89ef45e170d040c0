import { statesLeftBy } from '@keyferry/core';
import { sql } from 'kysely';
import type { Store, Tx } from './database.ts';

/** What time alone does to keys and records: set-based, so many rows at a time. */

export interface Swept {
  backend_id: string;
  local_path: string;
}

export async function allTenants(store: Store): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`SELECT keyferry.all_tenants() AS id`.execute(store.global);
  return rows.map((row) => row.id);
}

export async function expireKeys(tx: Tx, now: Date, limit: number): Promise<Swept[]> {
  const { rows } = await sql<Swept>`
    WITH due AS MATERIALIZED (SELECT id FROM keys WHERE expires_at <= ${now} AND state = ANY(${statesLeftBy('expiryPassed')}) AND NOT revoked
                 ORDER BY remote_hash LIMIT ${limit} FOR UPDATE SKIP LOCKED)
    UPDATE keys k SET state = 'expired', state_changed_at = ${now}, row_version = row_version + 1, updated_at = ${now}
    FROM due WHERE k.id = due.id RETURNING k.backend_id, k.local_path`.execute(tx);
  return rows;
}

/**
 * Archives deprecated keys whose grace is over, if a full cycle that began after the key was deprecated lacked it too, and
 * no cycle has failed since: while a vault can't be read, or after it showed the key again, the key goes on being served.
 */
export async function archiveKeys(tx: Tx, now: Date, limit: number): Promise<Swept[]> {
  const { rows } = await sql<Swept>`
    WITH due AS MATERIALIZED (
      SELECT k.id FROM keys k JOIN backends b ON b.id = k.backend_id
      WHERE k.state = ANY(${statesLeftBy('graceOver')}) AND NOT k.revoked
        AND k.state_changed_at + make_interval(secs => b.grace_period_seconds) <= ${now}
        AND b.failed_cycles = 0 AND b.last_full_opened_at > greatest(k.last_seen_at, k.deprecated_at)
      ORDER BY k.remote_hash LIMIT ${limit} FOR UPDATE OF k SKIP LOCKED)
    UPDATE keys k SET state = 'archived', state_changed_at = ${now}, row_version = row_version + 1, updated_at = ${now}
    FROM due WHERE k.id = due.id RETURNING k.backend_id, k.local_path`.execute(tx);
  return rows;
}

/**
 * Removes archived and expired keys after their retention, values and all. The audit log keeps that they were. What went
 * within a day stays until the guard has no more use for it, and what was revoked stays so that it can't come back.
 */
export async function purgeKeys(tx: Tx, now: Date, limit: number): Promise<Swept[]> {
  const { rows } = await sql<Swept>`
    WITH due AS MATERIALIZED (
      SELECT k.id FROM keys k JOIN backends b ON b.id = k.backend_id
      WHERE k.state = ANY(${statesLeftBy('retentionOver')}) AND NOT k.revoked
        AND (k.deprecated_at IS NULL OR k.deprecated_at < ${now}::timestamptz - interval '24 hours')
        AND k.state_changed_at + make_interval(secs => b.retain_archived_seconds) <= ${now}
      ORDER BY k.remote_hash LIMIT ${limit} FOR UPDATE OF k SKIP LOCKED),
    backups AS (DELETE FROM backups WHERE key_id IN (SELECT id FROM due)),
    purged AS (DELETE FROM keys k USING due WHERE k.id = due.id
               RETURNING k.tenant_id, k.id, k.backend_id, k.local_path, k.remote_path),
    audited AS (INSERT INTO audit_log (tenant_id, at, actor, action, target, details)
      SELECT tenant_id, ${now}, 'sweep', 'key.purged', local_path,
        jsonb_build_object('key_id', id, 'backend_id', backend_id, 'remote_path', remote_path) FROM purged)
    SELECT backend_id, local_path FROM purged`.execute(tx);
  return rows;
}

/** Archives every live key of a backend at once: a person removes the backend and says so. */
export async function archiveBackendKeys(tx: Tx, backendId: string, now: Date): Promise<string[]> {
  const { rows } = await sql<{ local_path: string }>`
    UPDATE keys SET state = 'archived', state_changed_at = ${now}, row_version = row_version + 1, updated_at = ${now}
    WHERE backend_id = ${backendId} AND state IN ('active', 'deprecated') RETURNING local_path`.execute(tx);
  return rows.map((row) => row.local_path);
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
        '$ ? (@.added > 0 || @.updated > 0 || @.restored > 0 || @.deprecated > 0 || @.held > 0 || @.gone > 0)')))
    LIMIT ${pruneBatch})`.execute(tx);
  return Number(dropped.numAffectedRows ?? 0) === pruneBatch;
}
