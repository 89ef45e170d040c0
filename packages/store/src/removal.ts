import { isMassLoss, type KeyState, type LossCause, type LossEstimate, type LossThreshold } from '@keyferry/core';
import { sql } from 'kysely';
import type { Cycle } from './cycles.ts';
import type { Tx } from './database.ts';

/** The deprecate stage's reads and writes. */

export interface Candidate {
  id: string;
  remotePath: string;
  localPath: string;
}

/**
 * What is only here can't be missing from the vault; of what was deleted here it is to be known whether the vault still has it.
 * Active keys can go; those that went already since they were absent go once more where the settings leave them out, with a
 * grace of its own, since nobody looks whether they have come back. Any key can have another name.
 */
function canGo(cause: LossCause) {
  if (cause === 'renamed') return sql<boolean>`TRUE`;
  return sql<boolean>`(NOT kept AND (${cause} <> 'absent' OR remote_digest <> '') AND (state = 'active'
    OR (${cause} = 'absent' AND tombstone)
    OR (${cause} = 'out_of_scope' AND state = 'deprecated' AND deprecated_for IS DISTINCT FROM 'out_of_scope')))`;
}

/** Notes keys that a cycle may remove, and why; none that was written since the vault was asked, where that is given. */
export async function addCandidates(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'tenant_id'>,
  keyIds: readonly string[],
  cause: Exclude<LossCause, 'renamed'> = 'absent',
  writtenBy: number | null = null,
): Promise<void> {
  if (keyIds.length === 0) return;
  await sql`INSERT INTO candidates (cycle_id, key_id, tenant_id, cause)
    SELECT ${cycle.id}, id, ${cycle.tenant_id}, ${cause} FROM keys
    WHERE id = ANY(${keyIds}::uuid[]) AND ${canGo(cause)}
      AND (${writtenBy}::bigint IS NULL OR write_seq <= ${writtenBy}::bigint)
    ON CONFLICT DO NOTHING`.execute(tx);
}

/** Active and deprecated keys among these, and what was deleted here, by hash of their remote path; `kept` by a person's word. */
export async function liveKeys(
  tx: Tx,
  backendId: string,
  hashes: readonly Buffer[],
): Promise<(Candidate & { kept: boolean; tombstone: boolean })[]> {
  return await tx
    .selectFrom('keys')
    .select(['id', 'remote_path as remotePath', 'local_path as localPath', 'kept', 'tombstone'])
    .where('backend_id', '=', backendId)
    .where('remote_hash', '=', sql<Buffer>`ANY(${hashes}::bytea[])`)
    .where((eb) => eb.or([eb('state', 'in', ['active', 'deprecated']), eb('tombstone', '=', true)]))
    .execute();
}

/** A key that would be a candidate. */
export interface PossibleCandidate extends Candidate {
  state: KeyState;
  /** Whether a person has said that it may go for this cause. */
  approved: boolean;
  /** Whether a person has been asked whether it may, and has not answered yet. */
  asked: boolean;
}

/** Those of these keys that would be candidates of a cycle for this cause, in the order of their ids. */
export async function possibleCandidates(
  tx: Tx,
  backendId: string,
  wanted: readonly { id: string; newPath?: string }[],
  cause: LossCause,
): Promise<PossibleCandidate[]> {
  if (wanted.length === 0) return [];
  const word = sql`h.key_id = keys.id AND h.cause = ${cause} AND coalesce(h.new_path, '') = coalesce(w.new_path, '')`;
  const { rows } = await sql<PossibleCandidate>`
    WITH approved AS (${approvedKeys(backendId)}), asked AS (${askedKeys(backendId)})
    SELECT id, remote_path AS "remotePath", local_path AS "localPath", state,
      EXISTS (SELECT FROM approved h WHERE ${word}) AS approved, EXISTS (SELECT FROM asked h WHERE ${word}) AS asked
    FROM keys JOIN unnest(${wanted.map(({ id }) => id)}::uuid[], ${wanted.map(({ newPath }) => newPath ?? null)}::text[])
      AS w (key_id, new_path) ON w.key_id = keys.id
    WHERE ${canGo(cause)} ORDER BY id`.execute(tx);
  return rows;
}

/** What the guard thinks of keys, apart from their states. */
export interface LossStanding {
  id: string;
  approved: boolean;
  /** Deprecated within the last day, without a person's word. */
  goneLately: boolean;
}

export async function lossStandings(
  tx: Tx,
  backendId: string,
  keyIds: readonly string[],
  now: Date,
): Promise<LossStanding[]> {
  if (keyIds.length === 0) return [];
  const { rows } = await sql<LossStanding>`
    WITH approved AS (${approvedKeys(backendId)})
    SELECT k.id, EXISTS (SELECT FROM approved a WHERE a.key_id = k.id) AS approved,
      coalesce(${wentLately(now)}, FALSE) AS "goneLately"
    FROM keys k WHERE k.id = ANY(${keyIds}::uuid[])`.execute(tx);
  return rows;
}

/** What a person approved of a backend's keys, by key, cause, and the name a key was to have. */
const approvedKeys = (
  backendId: string,
) => sql`SELECT hk.key_id, hk.cause, hk.new_path FROM hold_keys hk JOIN holds h ON h.id = hk.hold_id
  WHERE h.backend_id = ${backendId} AND h.state = 'approved'`;

/** What a person has been asked about, and has not answered yet, in the same way. */
const askedKeys = (
  backendId: string,
) => sql`SELECT hk.key_id, hk.cause, hk.new_path FROM hold_keys hk JOIN holds h ON h.id = hk.hold_id
  WHERE h.backend_id = ${backendId} AND h.state = 'open' AND h.kind = 'cycle'`;

/** Whether `k` was deprecated within the last day, without a person's word. */
const wentLately = (now: Date) => sql<boolean>`(k.deprecated_at > ${dayBefore(now)} AND k.hold_id IS NULL)`;

/** How many candidates a cycle has, or how many of them for one cause. */
export async function countCandidates(tx: Tx, cycleId: string, cause?: LossCause): Promise<number> {
  let query = tx
    .selectFrom('candidates')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('cycle_id', '=', cycleId);
  if (cause) query = query.where('cause', '=', cause);
  return (await query.executeTakeFirstOrThrow()).count;
}

/** Since when what went counts for the guard. */
const dayBefore = (now: Date): Date => new Date(now.getTime() - 24 * 3600 * 1000);

/** What the guard looks at. What a person approved is on neither side. */
export async function estimateLoss(tx: Tx, cycle: Pick<Cycle, 'id' | 'backend_id'>, now: Date): Promise<LossEstimate> {
  const { rows } = await sql<LossEstimate>`
    WITH approved AS (${approvedKeys(cycle.backend_id)})
    SELECT
      (SELECT count(*) FROM candidates c JOIN keys k ON k.id = c.key_id
        WHERE c.cycle_id = ${cycle.id} AND k.state IN ('active', 'deprecated')
        AND NOT EXISTS (SELECT FROM approved a WHERE a.key_id = c.key_id AND a.cause = c.cause
          AND a.new_path IS NOT DISTINCT FROM c.new_path)) AS "candidates",
      (SELECT count(*) FROM keys k WHERE k.backend_id = ${cycle.backend_id} AND k.state <> 'active'
        AND ${wentLately(now)}) AS "goneLately",
      (SELECT count(*) FROM keys k WHERE k.backend_id = ${cycle.backend_id}
        AND (k.state = 'active' OR ${wentLately(now)})
        AND NOT EXISTS (SELECT FROM approved a WHERE a.key_id = k.id)) AS "keys"`.execute(tx);
  return rows[0] ?? { candidates: 0, goneLately: 0, keys: 0 };
}

/** What the guard knows of a backend apart from any cycle. */
export async function estimateLossOf(tx: Tx, backendId: string, now: Date): Promise<Omit<LossEstimate, 'candidates'>> {
  const { goneLately, keys } = await estimateLoss(tx, { id: noCycle, backend_id: backendId }, now);
  return { goneLately, keys };
}

const noCycle = '00000000-0000-0000-0000-000000000000';

/**
 * Holds candidates back: every one that nobody approved, if the guard says so, and else those that a person has been asked
 * about and has not answered yet, for what would be no mass loss any more is no answer. They leave the cycle and are listed in
 * the backend's open hold, which is made if there is none. Returns how many, and whether the hold is new.
 */
export async function holdBack(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'backend_id' | 'tenant_id'>,
  threshold: LossThreshold,
  now: Date,
): Promise<{ held: number; holdId: string | null; opened: boolean; estimate: LossEstimate }> {
  const estimate = await estimateLoss(tx, cycle, now);
  const all = isMassLoss(estimate, threshold);
  // Joined and not looked up: of very many approved keys Postgres would look through all, for each candidate.
  const { rows } = await sql<{ key_id: string; cause: LossCause; new_path: string | null }>`
    WITH approved AS MATERIALIZED (${approvedKeys(cycle.backend_id)}),
    asked AS MATERIALIZED (${askedKeys(cycle.backend_id)}),
    held AS MATERIALIZED (
      SELECT c.key_id FROM candidates c
      LEFT JOIN approved a ON a.key_id = c.key_id AND a.cause = c.cause AND coalesce(a.new_path, '') = coalesce(c.new_path, '')
      LEFT JOIN asked q ON q.key_id = c.key_id AND q.cause = c.cause AND coalesce(q.new_path, '') = coalesce(c.new_path, '')
      WHERE c.cycle_id = ${cycle.id} AND a.key_id IS NULL AND (${all} OR q.key_id IS NOT NULL))
    DELETE FROM candidates c USING held WHERE c.cycle_id = ${cycle.id} AND c.key_id = held.key_id
    RETURNING c.key_id, c.cause, c.new_path`.execute(tx);
  if (rows.length === 0) return { held: 0, holdId: null, opened: false, estimate };
  const hold = await openHold(tx, cycle, { candidates: rows.length, keys: estimate.keys }, now);
  await tx.deleteFrom('hold_keys').where('hold_id', '=', hold.id).execute();
  await sql`
    INSERT INTO hold_keys (hold_id, key_id, tenant_id, cause, new_path)
    SELECT ${hold.id}, w.key_id, ${cycle.tenant_id}, w.cause, w.new_path
    FROM unnest(${rows.map((row) => row.key_id)}::uuid[], ${rows.map((row) => row.cause)}::text[],
      ${rows.map((row) => row.new_path)}::text[]) AS w (key_id, cause, new_path)`.execute(tx);
  return { held: rows.length, holdId: hold.id, opened: hold.opened, estimate };
}

/** The backend's open hold, with what it holds now; a new one if there is none. */
async function openHold(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'backend_id' | 'tenant_id'>,
  { candidates, keys }: { candidates: number; keys: number },
  now: Date,
): Promise<{ id: string; opened: boolean }> {
  const { rows } = await sql<{ id: string; opened: boolean }>`
    INSERT INTO holds (tenant_id, backend_id, cycle_id, candidates, keys, opened_at, updated_at)
    VALUES (${cycle.tenant_id}, ${cycle.backend_id}, ${cycle.id}, ${candidates}, ${keys}, ${now}, ${now})
    ON CONFLICT (backend_id, kind) WHERE state = 'open' DO UPDATE
      SET candidates = EXCLUDED.candidates, keys = EXCLUDED.keys, cycle_id = EXCLUDED.cycle_id, updated_at = EXCLUDED.updated_at
    RETURNING id, xmax = 0 AS opened`.execute(tx);
  return rows[0] as { id: string; opened: boolean };
}

/** The next candidates that may go for this cause. */
export async function nextCandidates(
  tx: Tx,
  cycleId: string,
  cause: Exclude<LossCause, 'renamed'>,
  limit: number,
): Promise<Candidate[]> {
  return await tx
    .selectFrom('candidates as c')
    .innerJoin('keys as k', 'k.id', 'c.key_id')
    .select(['k.id', 'k.remote_path as remotePath', 'k.local_path as localPath'])
    .where('c.cycle_id', '=', cycleId)
    .where('c.cause', '=', cause)
    .orderBy('c.key_id')
    .limit(limit)
    .execute();
}

/** Takes candidates out of a cycle. */
export async function dropCandidates(tx: Tx, cycleId: string, keyIds: readonly string[]): Promise<void> {
  await tx
    .deleteFrom('candidates')
    .where('cycle_id', '=', cycleId)
    .where('key_id', '=', sql<string>`ANY(${keyIds}::uuid[])`)
    .execute();
}

/** Takes all out of a cycle that would be deprecated. Returns how many. */
export async function dropMissing(tx: Tx, cycleId: string): Promise<number> {
  const result = await tx
    .deleteFrom('candidates')
    .where('cycle_id', '=', cycleId)
    .where('cause', '<>', 'renamed')
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}

/** Backs up the current versions of keys, as they are stored. */
export async function backUpKeys(tx: Tx, keyIds: readonly string[], reason: string, now: Date): Promise<void> {
  if (keyIds.length === 0) return;
  await sql`
    INSERT INTO backups (tenant_id, backend_id, key_id, version, local_path, remote_path, type, ciphertext, encryption_key_id,
      content_type, metadata, reason, created_at)
    SELECT k.tenant_id, k.backend_id, k.id, k.version, k.local_path, k.remote_path, k.type, v.ciphertext,
      v.encryption_key_id, v.content_type, v.metadata, ${reason}, ${now}
    FROM keys k JOIN key_versions v ON v.key_id = k.id AND v.version = k.version
    WHERE k.id = ANY(${keyIds}::uuid[])`.execute(tx);
}

/** Notes by which approved hold keys went: what a person approved doesn't count for the guard. */
export async function noteApprovals(
  tx: Tx,
  keyIds: readonly string[],
  cause: Exclude<LossCause, 'renamed'>,
): Promise<void> {
  if (keyIds.length === 0) return;
  await sql`
    UPDATE keys k SET hold_id = h.id FROM hold_keys hk JOIN holds h ON h.id = hk.hold_id
    WHERE k.id = ANY(${keyIds}::uuid[]) AND hk.key_id = k.id AND hk.cause = ${cause} AND h.state = 'approved'`.execute(
    tx,
  );
}

/** Notes that keys are gone and stay, since auto_deprecate is off. Returns those of which it is news. */
export async function noteMissing(tx: Tx, cycleId: string, now: Date): Promise<{ id: string; local_path: string }[]> {
  const { rows } = await sql<{ id: string; local_path: string }>`
    UPDATE keys k SET missing_since = ${now}, updated_at = ${now} FROM candidates c
    WHERE c.cycle_id = ${cycleId} AND c.cause <> 'renamed' AND k.id = c.key_id AND k.state = 'active' AND k.missing_since IS NULL
    RETURNING k.id, k.local_path`.execute(tx);
  return rows;
}
