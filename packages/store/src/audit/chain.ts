import { createHash, hash } from 'node:crypto';
import { sql } from 'kysely';

/** A batch as the chain has it; times as Postgres writes their seconds. */
export interface LinkedBatch {
  id: number;
  number: number;
  rows: number;
  at: string;
  last_at: string;
  digest: Buffer;
}

/**
 * All of a batch `b` of the rows `a`, as text: a row is written as Postgres writes records, with quotes around what has a
 * sign of that notation in it, so that no two batches have one text. Times are seconds since 1970, whatever the session's zone.
 */
export const rowText = sql<string>`ROW(a.place, date_part('epoch', a.at), a.outcome, a.actor, a.action, a.target, a.request_id,
  a.address, a.details)::text`;

/** The times of a batch that its hash has, beside what its rows come to. */
export const batchTimes = sql<string>`date_part('epoch', b.at)::text AS at, date_part('epoch', b.last_at)::text AS last_at`;

export const digestOf = (text: string): Buffer => hash('sha256', text, 'buffer');

/** What comes before the first batch. */
export const chainBegin = Buffer.alloc(32);

/** SHA-256 of the hash before, and of what the batch is: whatever is changed, each hash from there on is another. */
export function linkHash(
  previous: Buffer,
  tenantId: string,
  { number, id, rows, at, last_at, digest }: LinkedBatch,
): Buffer {
  return createHash('sha256')
    .update(previous)
    .update(`${tenantId} ${number} ${id} ${rows} ${at} ${last_at} `)
    .update(digest)
    .digest();
}
