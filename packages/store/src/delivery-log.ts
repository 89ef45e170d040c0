import { giveUpAfterMs, KeyferryError } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import { getChannel } from './channels.ts';
import type { Tx } from './database.ts';
import type { Database } from './schema.ts';

export type Notice = Selectable<Database['notices']>;

export interface DeliveryFilter {
  state?: Notice['state'] | undefined;
  channelId?: string | undefined;
  /** The last one of the page before. */
  after?: { createdAt: Date; id: string } | undefined;
  limit: number;
}

/** Notices, newest first. */
export async function listDeliveries(tx: Tx, filter: DeliveryFilter): Promise<Notice[]> {
  const { state, channelId, after, limit } = filter;
  let query = tx.selectFrom('notices').selectAll().orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit);
  if (state) query = query.where('state', '=', state);
  if (channelId) query = query.where('channel_id', '=', channelId);
  if (after) query = query.where(sql<boolean>`(created_at, id) < (${after.createdAt}::timestamptz, ${after.id}::uuid)`);
  return await query.execute();
}

/** Throws `delivery_not_found`. */
export async function getDelivery(tx: Tx, id: string): Promise<Notice> {
  const notice = await tx.selectFrom('notices').selectAll().where('id', '=', id).executeTakeFirst();
  if (!notice) throw new KeyferryError('delivery_not_found', `There is no delivery ${id}.`);
  return notice;
}

const again = (now: Date) => ({
  state: 'pending' as const,
  refusals: 0,
  next_attempt_at: now,
  give_up_at: new Date(now.getTime() + giveUpAfterMs),
  claimed_until: null,
  delivered_at: null,
  ended_at: null,
});

/**
 * Sends a notice again under its id, whatever its end was, on its channel as that is now. Throws `delivery_not_found`,
 * `delivery_not_over`, or `channel_not_found` where the channel was removed.
 */
export async function replayDelivery(tx: Tx, id: string, now: Date): Promise<Notice> {
  const { channel_id, state } = await getDelivery(tx, id);
  const channel = await getChannel(tx, channel_id, { lock: true });
  if (state === 'collecting' || state === 'pending')
    throw new KeyferryError('delivery_not_over', `The delivery ${id} is ${state}, and not over yet.`);
  await dueAtOnce(tx, [channel.id]);
  const replayed = await tx
    .updateTable('notices')
    .set(again(now))
    .where('id', '=', id)
    .where('state', 'in', ['delivered', 'failed', 'discarded'])
    .returningAll()
    .executeTakeFirst();
  if (!replayed) throw new KeyferryError('delivery_not_over', `The delivery ${id} is sent already.`);
  return replayed;
}

/** Sends everything again that failed, on all channels there are or on one. Returns how many. */
export async function replayFailed(tx: Tx, channelId: string | undefined, now: Date): Promise<number> {
  let channels = tx.selectFrom('channels').select('id').orderBy('id').forUpdate();
  if (channelId) channels = channels.where('id', '=', channelId);
  const ids = (await channels.execute()).map(({ id }) => id);
  await dueAtOnce(tx, ids);
  const { numUpdatedRows } = await tx
    .updateTable('notices')
    .set(again(now))
    .where('state', '=', 'failed')
    .where('channel_id', '=', sql<string>`ANY(${ids}::uuid[])`)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** A person says that the channels work again: what waited for them is not kept waiting. */
async function dueAtOnce(tx: Tx, channelIds: readonly string[]): Promise<void> {
  await tx
    .updateTable('channels')
    .set({ retry_at: null })
    .where('id', '=', sql<string>`ANY(${channelIds}::uuid[])`)
    .execute();
}

const pruneBatch = 5_000;

/** Drops a batch of ended notices: delivered and discarded ones before one time, failed ones before another. */
export async function pruneNotices(tx: Tx, before: { done: Date; failed: Date }): Promise<boolean> {
  const { numAffectedRows } = await sql`
    DELETE FROM notices WHERE id IN (SELECT id FROM notices
      WHERE (state IN ('delivered', 'discarded') AND ended_at < ${before.done})
        OR (state = 'failed' AND ended_at < ${before.failed})
      LIMIT ${pruneBatch})`.execute(tx);
  return Number(numAffectedRows ?? 0) === pruneBatch;
}
