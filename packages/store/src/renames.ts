import type { KeyState } from '@keyferry/core';
import { sql } from 'kysely';
import type { Cycle } from './cycles.ts';
import type { Tx } from './database.ts';
import type { Issue } from './shards.ts';

/** Other names for keys, after a change of path_mapping. */

export async function addRenames(
  tx: Tx,
  cycle: Pick<Cycle, 'id' | 'tenant_id'>,
  renamed: readonly { id: string; newPath: string }[],
): Promise<void> {
  if (renamed.length === 0) return;
  await sql`INSERT INTO candidates (cycle_id, key_id, tenant_id, cause, new_path)
    SELECT ${cycle.id}, w.id, ${cycle.tenant_id}, 'renamed', w.new_path
    FROM unnest(${renamed.map(({ id }) => id)}::uuid[], ${renamed.map(({ newPath }) => newPath)}::text[]) AS w (id, new_path)
    ON CONFLICT DO NOTHING`.execute(tx);
}

/** Takes out candidates that the path mapping of now, which may be another than when they were found, calls otherwise. */
export async function dropOutdatedRenames(
  tx: Tx,
  cycleId: string,
  newPathOf: (remotePath: string) => string,
): Promise<void> {
  const rows = await renamesOf(tx, cycleId);
  const outdated = rows.filter((row) => newPathOf(row.remote_path) !== row.new_path).map(({ id }) => id);
  await sql`DELETE FROM candidates WHERE cycle_id = ${cycleId} AND key_id = ANY(${outdated}::uuid[])`.execute(tx);
}

/** Takes out candidates whose new name can't be carried at all, as `problemOf` says. Returns them as issues. */
export async function dropMalformedRenames(
  tx: Tx,
  cycleId: string,
  problemOf: (newPath: string) => string | null,
): Promise<Issue[]> {
  const rows = await renamesOf(tx, cycleId);
  const dropped = rows.flatMap((row) => {
    const problem = problemOf(row.new_path);
    return problem === null ? [] : [{ ...row, problem }];
  });
  await sql`DELETE FROM candidates WHERE cycle_id = ${cycleId} AND key_id = ANY(${dropped.map(({ id }) => id)}::uuid[])`.execute(
    tx,
  );
  return dropped.map(({ remote_path, new_path, problem }) => malformed(remote_path, new_path, problem));
}

const malformed = (remotePath: string, newPath: string, problem: string): Issue =>
  issue(remotePath, 'path_incompatible', `"${remotePath}" can't be renamed to "${newPath}": ${problem}.`);

/**
 * Takes out candidates that can't have their new names: another key has it and keeps it, two want one, or a backend's
 * credentials are looked up under the old one. One that stays may stand in another's way, so it is looked again until none
 * does. Returns them as issues.
 */
export async function dropImpossibleRenames(tx: Tx, cycleId: string): Promise<Issue[]> {
  const issues: Issue[] = [];
  for (;;) {
    const { rows } = await sql<JudgedRename>`
      WITH movers AS (SELECT c.key_id, c.new_path FROM candidates c WHERE c.cycle_id = ${cycleId} AND c.cause = 'renamed'),
      judged AS (${judgedRenames([])})
      DELETE FROM candidates c USING judged j
      WHERE c.cycle_id = ${cycleId} AND c.key_id = j.key_id AND (j.held OR j.taken)
      RETURNING j.remote_path, j.new_path, j.held`.execute(tx);
    if (rows.length === 0) return issues;
    issues.push(...rows.map(impossible));
  }
}

interface JudgedRename {
  remote_path: string;
  new_path: string;
  held: boolean;
}

/** Which of `movers` can't have their new names. `taken` are paths that keys are about to have that aren't there yet. */
const judgedRenames = (taken: readonly string[]) => sql`
  WITH doubles AS MATERIALIZED (SELECT new_path FROM movers GROUP BY new_path HAVING count(*) > 1)
  SELECT m.key_id, m.new_path, k.remote_path,
    EXISTS (SELECT FROM backends b WHERE b.state <> 'removed' AND k.local_path = ANY(b.credential_paths)) AS held,
    m.new_path = ANY(${taken}::text[])
      OR EXISTS (SELECT FROM keys o WHERE o.local_path = m.new_path AND NOT EXISTS (SELECT FROM movers n WHERE n.key_id = o.id))
      OR m.new_path IN (SELECT new_path FROM doubles) AS taken
  FROM movers m JOIN keys k ON k.id = m.key_id`;

const impossible = ({ remote_path, new_path, held }: JudgedRename): Issue =>
  held
    ? issue(
        remote_path,
        'credentials_in_use',
        `"${remote_path}" keeps its name: a backend's credentials are kept there.`,
      )
    : issue(remote_path, 'path_taken', `"${remote_path}" can't be renamed to "${new_path}", which is another key's.`);

export interface PossibleRename {
  id: string;
  remotePath: string;
  localPath: string;
  newPath: string;
}

/**
 * Of keys that are to have other names those that can't, each with the reason, as a cycle would find it. `taken` are local
 * paths that the cycle would have given to new keys by then.
 */
export async function impossibleRenames(
  tx: Tx,
  renames: readonly PossibleRename[],
  taken: readonly string[],
  problemOf: (newPath: string) => string | null,
): Promise<Map<string, Issue>> {
  const issues = new Map<string, Issue>();
  for (const { id, remotePath, newPath } of renames) {
    const problem = problemOf(newPath);
    if (problem !== null) issues.set(id, malformed(remotePath, newPath, problem));
  }
  for (;;) {
    const left = renames.filter(({ id }) => !issues.has(id));
    const { rows } = await sql<JudgedRename & { key_id: string }>`
      WITH movers AS MATERIALIZED (SELECT * FROM unnest(${left.map(({ id }) => id)}::uuid[],
        ${left.map(({ newPath }) => newPath)}::text[]) AS m (key_id, new_path)),
      judged AS (${judgedRenames(taken)})
      SELECT * FROM judged WHERE held OR taken`.execute(tx);
    if (rows.length === 0) return issues;
    for (const row of rows) issues.set(row.key_id, impossible(row));
  }
}

export interface Renamed {
  id: string;
  state: KeyState;
  local_path: string;
  renamed_from: string;
}

/**
 * Gives all that are left their new names, past each other, at once: so that two may trade theirs. What is due for them is to
 * be reckoned anew, since rules go by these names.
 */
export async function renameKeys(tx: Tx, cycleId: string, now: Date): Promise<Renamed[]> {
  const rows = await renamesOf(tx, cycleId);
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  await sql`SELECT FROM keys WHERE id = ANY(${ids}::uuid[]) ORDER BY remote_hash FOR UPDATE`.execute(tx);
  // A control character is in no path, so that nothing is in the way meanwhile.
  await sql`UPDATE keys SET local_path = chr(1) || id WHERE id = ANY(${ids}::uuid[])`.execute(tx);
  await sql`UPDATE keys k SET local_path = w.new_path, row_version = k.row_version + 1, updated_at = ${now}
    FROM unnest(${ids}::uuid[], ${rows.map((row) => row.new_path)}::text[]) AS w (id, new_path)
    WHERE k.id = w.id`.execute(tx);
  await sql`DELETE FROM candidates WHERE cycle_id = ${cycleId} AND key_id = ANY(${ids}::uuid[])`.execute(tx);
  return rows.map(({ id, state, local_path, new_path }) => ({
    id,
    state,
    local_path: new_path,
    renamed_from: local_path,
  }));
}

async function renamesOf(tx: Tx, cycleId: string) {
  const { rows } = await sql<{
    id: string;
    state: KeyState;
    local_path: string;
    remote_path: string;
    new_path: string;
  }>`
    SELECT k.id, k.state, k.local_path, k.remote_path, c.new_path FROM candidates c JOIN keys k ON k.id = c.key_id
    WHERE c.cycle_id = ${cycleId} AND c.cause = 'renamed' ORDER BY k.remote_hash`.execute(tx);
  return rows;
}

const issue = (remotePath: string, code: string, message: string): Issue => ({
  remotePath,
  outcome: 'unconfirmed',
  code,
  class: null,
  message,
});
