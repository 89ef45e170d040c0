import { sql } from 'kysely';
import type { Backend } from './backends.ts';
import type { Tx } from './database.ts';
import { remoteHash } from './hash.ts';

/** Writes to a vault that were begun, as a cycle comes upon them: under way, or left by a process that has died. */

export interface BegunWrite {
  id: string;
  kind: 'put' | 'remove';
  /** In hex; empty for a removal. */
  valueDigest: string;
  creates: boolean;
  ownedFor: string | null;
  claimedUntil: Date;
}

/** Writes that were begun to these remote paths, by path. */
export async function begunWrites(
  tx: Tx,
  backendId: string,
  remotePaths: readonly string[],
): Promise<Map<string, BegunWrite>> {
  if (remotePaths.length === 0) return new Map();
  const rows = await tx
    .selectFrom('write_intents')
    .select([
      'id',
      'kind',
      'remote_path',
      sql<string>`encode(value_digest, 'hex')`.as('valueDigest'),
      'creates',
      'owned_for as ownedFor',
      'claimed_until as claimedUntil',
    ])
    .where('backend_id', '=', backendId)
    .where('remote_hash', '=', sql<Buffer>`ANY(${remotePaths.map(remoteHash)}::bytea[])`)
    .execute();
  return new Map(rows.map(({ remote_path, ...write }) => [remote_path, write]));
}

/** Forgets writes whose outcome is known. One that somebody has begun anew since has another id. */
export async function endWrites(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.deleteFrom('write_intents').where('id', '=', sql<string>`ANY(${ids}::uuid[])`).execute();
}

/** After so long what was begun to a secret that no listing shows has never been done, if a whole cycle has looked since. */
const forgottenAfterMs = 24 * 3600 * 1000;

export async function forgetOldWrites(tx: Tx, backendId: string, now: Date): Promise<void> {
  await tx
    .deleteFrom('write_intents')
    .where('backend_id', '=', backendId)
    .where('claimed_until', '<', new Date(now.getTime() - forgottenAfterMs))
    .where('claimed_until', '<', (eb) =>
      eb.selectFrom('backends').select('last_full_opened_at').where('id', '=', backendId),
    )
    .execute();
}

/** A value that a cycle wants to write to the vault. */
export interface WantedWrite {
  remotePath: string;
  localPath: string;
  digest: Buffer;
  /** Whether the vault has no such secret. */
  creates: boolean;
  ownedFor: string | null;
}

/**
 * Notes that these are written to the vault, and keeps others from it until `claimedUntil`. Returns the ids of the claims, by remote path; a
 * path that somebody else writes has none.
 */
export async function claimWrites(
  tx: Tx,
  backend: Pick<Backend, 'id' | 'tenant_id'>,
  writes: readonly WantedWrite[],
  { now, claimedUntil }: { now: Date; claimedUntil: Date },
): Promise<Map<string, string>> {
  if (writes.length === 0) return new Map();
  const sorted = writes
    .map((write) => ({ ...write, hash: remoteHash(write.remotePath) }))
    .sort((one, other) => Buffer.compare(one.hash, other.hash));
  const column = <T>(pick: (write: (typeof sorted)[number]) => T) => sorted.map(pick);
  const { rows } = await sql<{ remote_path: string; id: string }>`
    INSERT INTO write_intents AS i (backend_id, remote_hash, tenant_id, id, kind, remote_path, local_path, value_digest,
      creates, owned_for, claimed_until, created_at)
    SELECT ${backend.id}, w.hash, ${backend.tenant_id}, gen_random_uuid(), 'put', w.remote_path, w.local_path, w.digest,
      w.creates, w.owned_for, ${claimedUntil}, ${now}
    FROM unnest(${column((s) => s.hash)}::bytea[], ${column((s) => s.remotePath)}::text[],
      ${column((s) => s.localPath)}::text[], ${column((s) => s.digest)}::bytea[],
      ${column((s) => s.creates)}::boolean[], ${column((s) => s.ownedFor)}::text[])
      WITH ORDINALITY AS w (hash, remote_path, local_path, digest, creates, owned_for, place)
    ORDER BY w.place
    ON CONFLICT (backend_id, remote_hash) DO UPDATE SET id = EXCLUDED.id, claimed_until = EXCLUDED.claimed_until,
      creates = EXCLUDED.creates, kind = 'put'
    WHERE i.claimed_until <= ${now} AND i.value_digest = EXCLUDED.value_digest
    RETURNING i.remote_path, i.id`.execute(tx);
  return new Map(rows.map(({ remote_path, id }) => [remote_path, id]));
}
