import { sql } from 'kysely';
import type { Tx } from './database.ts';

/** Secrets that were stored for an entity, such as the credentials of a backend, and go with it. */

/** What says so in a key. */
export const ownerOf = ({ kind, id }: SecretOwner): string => `${kind}:${id}`;

/** What has secrets that can be stored for it. */
export interface SecretOwner {
  kind: 'backend' | 'channel';
  id: string;
}

/** The local paths of an entity's keys that are not archived. */
export async function ownedPaths(tx: Tx, owner: string): Promise<string[]> {
  const rows = await tx
    .selectFrom('keys')
    .select('local_path')
    .where('owned_for', '=', owner)
    .where('state', '<>', 'archived')
    .orderBy('local_path')
    .execute();
  return rows.map((row) => row.local_path);
}

/** The removed backends whose secrets are still there. */
export async function ownersRemoved(tx: Tx): Promise<string[]> {
  const { rows } = await sql<{ owner: string }>`
    SELECT DISTINCT k.owned_for AS owner FROM keys k JOIN backends b ON k.owned_for = 'backend:' || b.id
    WHERE k.owned_for IS NOT NULL AND k.state <> 'archived' AND b.state = 'removed' ORDER BY 1`.execute(tx);
  return rows.map(({ owner }) => owner);
}

/** The backend and all others whose keys its credentials are in, directly or by way of others. */
export async function credentialUpstream(tx: Tx, backendId: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    WITH RECURSIVE upstream (id) AS (
      SELECT ${backendId}::uuid
      UNION SELECT k.backend_id FROM upstream u JOIN backends b ON b.id = u.id
        JOIN keys k ON k.local_path = ANY(b.credential_paths))
    SELECT id FROM upstream`.execute(tx);
  return rows.map(({ id }) => id);
}

/** The name of the channel that a key was stored for; null where it was stored for nothing that is a channel by now. */
export async function channelOfOwner(tx: Tx, owner: string): Promise<string | null> {
  const { rows } = await sql<{ name: string }>`
    SELECT name FROM channels WHERE 'channel:' || id = ${owner}`.execute(tx);
  return rows[0]?.name ?? null;
}
