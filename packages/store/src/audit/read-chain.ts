import { sql } from 'kysely';
import type { Tx } from '../database.ts';
import { batchTimes, chainBegin, type LinkedBatch, rowText } from './chain.ts';

/** What verifying reads. */

/** A place in the chain: a batch's number, and its hash. */
export interface Link {
  number: number;
  hash: Buffer;
}

/** What the tenant's chain is said to be: it begins after what was pruned. */
export async function chainEnds(tx: Tx): Promise<{ pruned: Link; head: Link }> {
  const row = await tx
    .selectFrom('audit_chains')
    .select(['pruned_number', 'pruned_hash', 'head_number', 'head_hash'])
    .executeTakeFirst();
  return {
    pruned: { number: row?.pruned_number ?? 0, hash: row?.pruned_hash ?? chainBegin },
    head: { number: row?.head_number ?? 0, hash: row?.head_hash ?? chainBegin },
  };
}

/** A batch with all of its rows as text, and how many of them were found: one more than there should be at most. */
export interface StoredBatch extends LinkedBatch {
  hash: Buffer;
  time: Date;
  found: number;
  text: string;
}

/** So many batches, or a few more rows than that, are in memory at a time. */
const batchesAtATime = 2_000;
const rowsAtATime = 20_000;

/** The batches that follow a number, in their order. */
export async function readBatches(tx: Tx, after: number): Promise<StoredBatch[]> {
  const { rows } = await sql<StoredBatch>`
    WITH page AS (SELECT *, sum(rows) OVER (ORDER BY number) - rows AS before
      FROM audit_batches WHERE number > ${after} ORDER BY number LIMIT ${batchesAtATime})
    SELECT b.id, b.number, b.rows, b.at AS time, ${batchTimes}, b.digest, b.hash, r.found, r.text
    FROM page b CROSS JOIN LATERAL (
      SELECT count(*) AS found, coalesce(string_agg(${rowText}, E'\n'), '') AS text
      FROM (SELECT * FROM audit_log WHERE batch = b.id AND tenant_id = b.tenant_id ORDER BY place LIMIT b.rows + 1) a) r
    WHERE b.before < ${rowsAtATime} ORDER BY b.number`.execute(tx);
  return rows;
}

/** The first place of a batch that has no row, or one that it should not have; null where each has one. */
export async function wrongPlace(tx: Tx, batch: number): Promise<number | null> {
  const { rows: found } = await sql<{ place: number | null }>`
    WITH b AS (SELECT rows FROM audit_batches WHERE id = ${batch})
    SELECT min(coalesce(a.place, p.place)) AS place
    FROM (SELECT generate_series(1, rows) AS place FROM b) p
    FULL JOIN (SELECT place FROM audit_log WHERE batch = ${batch}) a ON a.place = p.place
    WHERE a.place IS NULL OR p.place IS NULL`.execute(tx);
  return found[0]?.place ?? null;
}

/** A row of a batch that there isn't. */
export async function foreignRow(tx: Tx): Promise<{ batch: number; place: number; at: Date } | null> {
  const { rows } = await sql<{ batch: number; place: number; at: Date }>`
    SELECT a.batch, a.place, a.at FROM audit_log a
    WHERE NOT EXISTS (SELECT FROM audit_batches b WHERE b.id = a.batch AND b.tenant_id = a.tenant_id)
    LIMIT 1`.execute(tx);
  return rows[0] ?? null;
}

/** Whether the log itself tells that it was pruned up to there. */
export async function isPruningTold(tx: Tx, { number, hash }: Link): Promise<boolean> {
  const row = await tx
    .selectFrom('audit_log')
    .select('place')
    .where('action', '=', 'audit.pruned')
    .where(sql<boolean>`details @> ${JSON.stringify({ number, hash: hash.toString('hex') })}::jsonb`)
    .executeTakeFirst();
  return row !== undefined;
}

export interface Tail {
  batches: number;
  rows: number;
  /** Of its oldest row. */
  since: Date | null;
}

/** What is not in the chain yet. */
export async function unsealedTail(tx: Tx): Promise<Tail> {
  const { rows } = await sql<Tail>`
    SELECT count(*) AS batches, coalesce(sum(rows), 0) AS rows, min(at) AS since
    FROM audit_batches WHERE number IS NULL`.execute(tx);
  return rows[0] ?? { batches: 0, rows: 0, since: null };
}
