import {
  afterFailure,
  type ChannelKind,
  type DeliveryFailure,
  deliveryDelay,
  isRefusal,
  type NoticeMessage,
} from '@keyferry/core';
import { sql } from 'kysely';
import type { Store, Tx } from './database.ts';

/** What sending notices reads and writes. */

export async function tenantsWithDueNotices(store: Store, now: Date): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT keyferry.tenants_with_due_notices(${now}) AS id`.execute(store.global);
  return rows.map((row) => row.id);
}

/** A notice that the caller alone sends until its claim is over. */
export interface ClaimedNotice {
  id: string;
  tenant_id: string;
  rule_id: string;
  rule_name: string;
  message: NoticeMessage;
  ready_at: Date;
  /** Which attempt this is, from 1. */
  attempts: number;
  channel_id: string;
  channel_name: string;
  channel_kind: ChannelKind;
  channel_config: Record<string, unknown>;
  channel_secret: Buffer;
  channel_secret_key_id: string;
}

/**
 * Claims notices that are due, the one that has waited longest of each channel, but for channels that the caller is busy
 * with. What isn't noted before `until` is claimed again.
 */
export async function claimNotices(
  tx: Tx,
  claim: { now: Date; until: Date; busyChannels: readonly string[]; limit: number },
): Promise<ClaimedNotice[]> {
  const { now, until, busyChannels, limit } = claim;
  const { rows } = await sql<ClaimedNotice>`
    WITH due AS MATERIALIZED (
      SELECT n.id, c.id AS channel_id, c.name, c.kind, c.config, c.secret, c.secret_key_id
      FROM channels c CROSS JOIN LATERAL (
        SELECT id, next_attempt_at FROM notices
        WHERE channel_id = c.id AND state = 'pending' AND next_attempt_at <= ${now}
          AND (claimed_until IS NULL OR claimed_until <= ${now})
        ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) n
      WHERE c.state = 'active' AND (c.retry_at IS NULL OR c.retry_at <= ${now})
        AND c.id <> ALL(${busyChannels}::uuid[])
      ORDER BY n.next_attempt_at LIMIT ${limit})
    UPDATE notices n SET claimed_until = ${until}, attempts = n.attempts + 1
    FROM due WHERE n.id = due.id
    RETURNING n.id, n.tenant_id, n.rule_id, n.rule_name, n.message, n.ready_at, n.attempts, due.channel_id,
      due.name AS channel_name, due.kind AS channel_kind, due.config AS channel_config, due.secret AS channel_secret,
      due.secret_key_id AS channel_secret_key_id`.execute(tx);
  return rows;
}

type Attempt = Pick<ClaimedNotice, 'id' | 'channel_id' | 'attempts'>;

/**
 * Notes that a notice was delivered, though maybe not to every recipient, as the warning says, also where the claim was over:
 * then it needn't be sent once more. If its channel had been down, what else waits for it is due at once. False if it had
 * ended already.
 */
export async function noteDelivered(tx: Tx, attempt: Attempt, warning: string | null, now: Date): Promise<boolean> {
  const channel = await lockChannel(tx, attempt.channel_id);
  const error = {
    last_error_code: warning === null ? null : 'delivery_refused',
    last_error_message: warning,
  };
  const { numUpdatedRows } = await tx
    .updateTable('notices')
    .set({ ...error, state: 'delivered', delivered_at: now, ended_at: now, claimed_until: null, next_attempt_at: null })
    .where('id', '=', attempt.id)
    .where('state', '=', 'pending')
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  await tx
    .updateTable('channels')
    .set({ ...error, failures: 0, retry_at: null, last_delivered_at: now })
    .where('id', '=', attempt.channel_id)
    .execute();
  // After a single failure the message may have been at fault, not the channel.
  if ((channel?.failures ?? 0) > 1)
    await tx
      .updateTable('notices')
      .set({ next_attempt_at: now })
      .where('channel_id', '=', attempt.channel_id)
      .where('state', '=', 'pending')
      .where('next_attempt_at', '>', now)
      .execute();
  return true;
}

export type FailureNoted = 'retry' | 'give_up' | 'paused' | 'overtaken';

/**
 * Notes that a notice was not delivered, and why. Its channel is let alone for a while; one that is gone is paused. What has
 * waited too long is given up: this one, and what else waits for the channel.
 */
export async function noteFailed(
  tx: Tx,
  attempt: Attempt,
  failure: DeliveryFailure,
  { now, random }: { now: Date; random: number },
): Promise<FailureNoted> {
  const channel = await lockChannel(tx, attempt.channel_id);
  const notice = await tx
    .selectFrom('notices')
    .select(['refusals', 'give_up_at'])
    .where('id', '=', attempt.id)
    .where('state', '=', 'pending')
    .where('attempts', '=', attempt.attempts)
    .forUpdate()
    .executeTakeFirst();
  if (!channel || !notice) return 'overtaken';
  const failures = channel.failures + 1;
  const refusals = notice.refusals + (isRefusal(failure) ? 1 : 0);
  const after = afterFailure(failure, { refusals, giveUpAt: notice.give_up_at ?? now }, now);
  const retryAt = new Date(now.getTime() + deliveryDelay(failures, random, failure.retryAfterMs));
  const error = { last_error_code: failure.code, last_error_message: failure.message };
  await tx
    .updateTable('channels')
    .set({ failures, retry_at: retryAt, last_failed_at: now, ...error, ...(failure.gone && { state: 'paused' }) })
    .where('id', '=', attempt.channel_id)
    .execute();
  const ended = { state: 'failed', ended_at: now, next_attempt_at: null } as const;
  await tx
    .updateTable('notices')
    .set({
      ...error,
      refusals,
      claimed_until: null,
      ...(after === 'give_up' ? ended : { next_attempt_at: retryAt }),
    })
    .where('id', '=', attempt.id)
    .execute();
  if (failure.gone) return 'paused';
  await tx
    .updateTable('notices')
    .set({ ...error, ...ended, claimed_until: null })
    .where('channel_id', '=', attempt.channel_id)
    .where('state', '=', 'pending')
    .where('give_up_at', '<=', now)
    .where((eb) => eb.or([eb('claimed_until', 'is', null), eb('claimed_until', '<=', now)]))
    .execute();
  return after;
}

/** The lock that all who note something of a channel take first, so that none waits for another's notices. */
async function lockChannel(tx: Tx, id: string): Promise<{ failures: number } | undefined> {
  return await tx.selectFrom('channels').select('failures').where('id', '=', id).forUpdate().executeTakeFirst();
}
