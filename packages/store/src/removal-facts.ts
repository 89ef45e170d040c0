import type { KnownKey } from '@keyferry/core';
import { sql } from 'kysely';
import type { Tx } from './database.ts';
import type { Candidate } from './removal.ts';
import { resolution } from './resolution.ts';

/** What decides on a key whose secret is gone from the vault. */
export interface RemovalFacts
  extends Pick<KnownKey, 'baseDigest' | 'localDigest' | 'rolledBack' | 'tombstone' | 'resolution'> {
  id: string;
  rowVersion: number;
  /** The number of its last write through Keyferry. */
  writeSeq: number;
  /** The removal through Keyferry that was begun and not stored. */
  removal: string | null;
}

/** The facts of keys, by id. */
export async function removalFacts(tx: Tx, keyIds: readonly string[]): Promise<Map<string, RemovalFacts>> {
  if (keyIds.length === 0) return new Map();
  const rows = await tx
    .selectFrom('keys')
    .select(['id', 'row_version as rowVersion', 'write_seq as writeSeq', 'rolled_back as rolledBack', 'tombstone'])
    .select(sql<string>`encode(base_digest, 'hex')`.as('baseDigest'))
    .select(sql<string>`encode(local_digest, 'hex')`.as('localDigest'))
    .select(resolution.as('resolution'))
    .select(begunRemoval.as('removal'))
    .where('id', '=', sql<string>`ANY(${keyIds}::uuid[])`)
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

const begunRemoval = sql<string | null>`(SELECT i.id FROM write_intents i
  WHERE i.backend_id = keys.backend_id AND i.remote_hash = keys.remote_hash AND i.kind = 'remove')`;

/** Candidates that are missing and may not be lost at all: changed or deleted here. In the order of their ids. */
export async function changedCandidates(
  tx: Tx,
  cycleId: string,
  { after, limit }: { after: string | null; limit: number },
): Promise<Candidate[]> {
  return await changedHere(tx)
    .innerJoin('candidates as c', 'c.key_id', 'keys.id')
    .where('c.cycle_id', '=', cycleId)
    .where('c.cause', '=', 'absent')
    .$if(after !== null, (query) => query.where('keys.id', '>', after))
    .orderBy('keys.id')
    .limit(limit)
    .execute();
}

/** The same among these keys, for a plan, which has no candidates. */
export async function changedAmong(tx: Tx, keyIds: readonly string[]): Promise<Candidate[]> {
  if (keyIds.length === 0) return [];
  return await changedHere(tx).where('keys.id', '=', sql<string>`ANY(${keyIds}::uuid[])`).orderBy('keys.id').execute();
}

const changedHere = (tx: Tx) =>
  tx
    .selectFrom('keys')
    .select(['keys.id', 'keys.remote_path as remotePath', 'keys.local_path as localPath'])
    .where(
      sql<boolean>`(keys.tombstone OR (keys.local_digest <> keys.base_digest AND NOT keys.rolled_back)
        OR ${begunRemoval} IS NOT NULL)`,
    );
