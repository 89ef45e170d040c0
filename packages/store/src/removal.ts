import { isMassLoss, type LossEstimate } from '@keyferry/core';
import { sql } from 'kysely';
import type { Cycle } from './cycles.ts';
import type { Tx } from './database.ts';

/** The deprecate stage's reads and writes. */

export interface Candidate {
  id: string;
  remotePath: string;
  localPath: string;
}

/** Notes keys that a cycle may remove. Only live ones can go. */
export async function addCandidates(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'tenant_id'>,
  keyIds: readonly string[],
): Promise<void> {
  if (keyIds.length === 0) return;
  await sql`INSERT INTO candidates (cycle_id, key_id, tenant_id)
    SELECT ${cycle.id}, id, ${cycle.tenant_id} FROM keys
    WHERE id = ANY(${keyIds}::uuid[]) AND state = 'active'
    ON CONFLICT DO NOTHING`.execute(tx);
}

/** The active and deprecated keys among these, by hash of their remote path. */
export async function liveKeys(
  tx: Tx,
  backendId: string,
  hashes: readonly Buffer[],
): Promise<{ id: string; remotePath: string }[]> {
  return await tx
    .selectFrom('keys')
    .select(['id', 'remote_path as remotePath'])
    .where('backend_id', '=', backendId)
    .where('remote_hash', '=', sql<Buffer>`ANY(${hashes}::bytea[])`)
    .where('state', 'in', ['active', 'deprecated'])
    .execute();
}

export async function countCandidates(tx: Tx, cycleId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('candidates')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('cycle_id', '=', cycleId)
    .executeTakeFirstOrThrow();
  return count;
}

/** What the guard looks at. What a person approved is on neither side. */
export async function estimateLoss(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'backend_id'>,
  dayAgo: Date,
): Promise<LossEstimate> {
  const { rows } = await sql<LossEstimate>`
    WITH approved AS (SELECT hk.key_id FROM hold_keys hk JOIN holds h ON h.id = hk.hold_id
                      WHERE h.backend_id = ${cycle.backend_id} AND h.state = 'approved')
    SELECT
      (SELECT count(*) FROM candidates c WHERE c.cycle_id = ${cycle.id}
        AND NOT EXISTS (SELECT FROM approved a WHERE a.key_id = c.key_id)) AS "candidates",
      (SELECT count(*) FROM keys k WHERE k.backend_id = ${cycle.backend_id} AND k.state <> 'active'
        AND k.deprecated_at > ${dayAgo} AND k.hold_id IS NULL) AS "goneLately",
      (SELECT count(*) FROM keys k WHERE k.backend_id = ${cycle.backend_id}
        AND (k.state = 'active' OR (k.deprecated_at > ${dayAgo} AND k.hold_id IS NULL))
        AND NOT EXISTS (SELECT FROM approved a WHERE a.key_id = k.id)) AS "keys"`.execute(tx);
  return rows[0] ?? { candidates: 0, goneLately: 0, keys: 0 };
}

/**
 * Holds back every candidate that nobody approved, if the guard says so: they leave the cycle and are listed in the
 * backend's open hold, which is made if there is none. Returns how many, and whether the hold is new.
 */
export async function holdBack(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'backend_id' | 'tenant_id'>,
  now: Date,
): Promise<{ held: number; holdId: string | null; opened: boolean; estimate: LossEstimate }> {
  const estimate = await estimateLoss(tx, cycle, new Date(now.getTime() - 24 * 3600 * 1000));
  if (!isMassLoss(estimate)) return { held: 0, holdId: null, opened: false, estimate };
  const { rows } = await sql<{ id: string; opened: boolean }>`
    INSERT INTO holds (tenant_id, backend_id, cycle_id, candidates, keys, opened_at, updated_at)
    VALUES (${cycle.tenant_id}, ${cycle.backend_id}, ${cycle.id}, ${estimate.candidates}, ${estimate.keys}, ${now}, ${now})
    ON CONFLICT (backend_id) WHERE state = 'open' DO UPDATE
      SET candidates = EXCLUDED.candidates, keys = EXCLUDED.keys, cycle_id = EXCLUDED.cycle_id, updated_at = EXCLUDED.updated_at
    RETURNING id, xmax = 0 AS opened`.execute(tx);
  const hold = rows[0] as { id: string; opened: boolean };
  await tx.deleteFrom('hold_keys').where('hold_id', '=', hold.id).execute();
  await sql`
    WITH held AS (
      DELETE FROM candidates c WHERE c.cycle_id = ${cycle.id}
        AND NOT EXISTS (SELECT FROM hold_keys hk JOIN holds h ON h.id = hk.hold_id
                        WHERE hk.key_id = c.key_id AND h.backend_id = ${cycle.backend_id} AND h.state = 'approved')
      RETURNING c.key_id)
    INSERT INTO hold_keys (hold_id, key_id, tenant_id) SELECT ${hold.id}, key_id, ${cycle.tenant_id} FROM held`.execute(
    tx,
  );
  return { held: estimate.candidates, holdId: hold.id, opened: hold.opened, estimate };
}

/** The next candidates to be confirmed, by remote path. */
export async function nextCandidates(tx: Tx, cycleId: string, limit: number): Promise<Candidate[]> {
  return await tx
    .selectFrom('candidates as c')
    .innerJoin('keys as k', 'k.id', 'c.key_id')
    .select(['k.id', 'k.remote_path as remotePath', 'k.local_path as localPath'])
    .where('c.cycle_id', '=', cycleId)
    .orderBy('c.key_id')
    .limit(limit)
    .execute();
}

/** Takes candidates out of a cycle: these, or all. */
export async function dropCandidates(tx: Tx, cycleId: string, keyIds?: readonly string[]): Promise<void> {
  let query = tx.deleteFrom('candidates').where('cycle_id', '=', cycleId);
  if (keyIds) query = query.where('key_id', '=', sql<string>`ANY(${keyIds}::uuid[])`);
  await query.execute();
}

/**
 * Deprecates keys whose absence was proven, after a backup of their current version if the backend wants one. Returns the local paths that changed.
 */
export async function deprecateKeys(
  tx: Tx,
  keyIds: readonly string[],
  options: { backup: boolean; now: Date },
): Promise<string[]> {
  if (keyIds.length === 0) return [];
  const { rows } = await sql<{ id: string; local_path: string }>`
    WITH gone AS MATERIALIZED (SELECT id FROM keys WHERE id = ANY(${keyIds}::uuid[]) AND state = 'active'
                  ORDER BY remote_hash FOR UPDATE)
    UPDATE keys k SET state = 'deprecated', state_changed_at = ${options.now}, deprecated_at = ${options.now},
      row_version = row_version + 1, updated_at = ${options.now},
      hold_id = (SELECT h.id FROM hold_keys hk JOIN holds h ON h.id = hk.hold_id
                 WHERE hk.key_id = k.id AND h.state = 'approved' LIMIT 1)
    FROM gone WHERE k.id = gone.id RETURNING k.id, k.local_path`.execute(tx);
  if (options.backup && rows.length > 0)
    await sql`
      INSERT INTO backups (tenant_id, backend_id, key_id, version, local_path, remote_path, type, ciphertext, encryption_key_id,
        content_type, metadata, reason, created_at)
      SELECT k.tenant_id, k.backend_id, k.id, k.version, k.local_path, k.remote_path, k.type, v.ciphertext,
        v.encryption_key_id, v.content_type, v.metadata, 'deprecated', ${options.now}
      FROM keys k JOIN key_versions v ON v.key_id = k.id AND v.version = k.version
      WHERE k.id = ANY(${rows.map((row) => row.id)}::uuid[])`.execute(tx);
  return rows.map((row) => row.local_path);
}
