import { giveUpAfterMs, type NoticeMessage } from '@keyferry/core';
import { sql } from 'kysely';
import type { Store, Tx } from './database.ts';
import type { NotificationRule } from './notification-rules.ts';

/** What matching events with rules reads and writes. One does it at a time for a tenant. */

export async function tenantsWithNoticesToCollect(store: Store, now: Date): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT keyferry.tenants_with_notices_to_collect(${now}) AS id`.execute(store.global);
  return rows.map((row) => row.id);
}

/** The same lock as `lockNotifications` has; false where somebody else has it. */
export async function tryLockNotifications(tx: Tx, tenantId: string): Promise<boolean> {
  const { rows } = await sql<{ locked: boolean }>`
    SELECT pg_try_advisory_xact_lock(hashtextextended(${`notifications:${tenantId}`}, 0)) AS locked`.execute(tx);
  return rows[0]?.locked ?? false;
}

/** Up to which position events were matched. */
export async function notificationCursor(tx: Tx): Promise<number> {
  const row = await tx.selectFrom('notification_cursors').select('position').executeTakeFirst();
  return row?.position ?? 0;
}

export async function moveNotificationCursor(tx: Tx, tenantId: string, position: number): Promise<void> {
  await tx
    .insertInto('notification_cursors')
    .values({ tenant_id: tenantId, position })
    .onConflict((conflict) => conflict.column('tenant_id').doUpdateSet({ position }))
    .execute();
}

export type ActiveRule = NotificationRule & { channel_name: string };

/** Rules whose channel is paused are among them: the channel keeps what they tell. */
export async function activeRules(tx: Tx): Promise<ActiveRule[]> {
  return await tx
    .selectFrom('notification_rules as r')
    .innerJoin('channels as c', 'c.id', 'r.channel_id')
    .selectAll('r')
    .select('c.name as channel_name')
    .where('r.state', '=', 'active')
    .execute();
}

export interface CollectedNotice {
  rule: ActiveRule;
  groupKey: string;
  message: NoticeMessage;
  readyAt: Date;
}

/** Messages that are being collected, of these groups. */
export async function collectingNotices(
  tx: Tx,
  groupKeys: readonly string[],
): Promise<{ rule_id: string; group_key: string; message: NoticeMessage }[]> {
  if (groupKeys.length === 0) return [];
  return await tx
    .selectFrom('notices')
    .select(['rule_id', 'group_key', 'message'])
    .where('state', '=', 'collecting')
    .where('group_key', '=', sql<string>`ANY(${groupKeys}::text[])`)
    .execute();
}

/** Writes messages that are being collected, in place of what they were before. */
export async function writeCollected(
  tx: Tx,
  tenantId: string,
  notices: readonly CollectedNotice[],
  now: Date,
): Promise<void> {
  if (notices.length === 0) return;
  const column = <T>(of: (notice: CollectedNotice) => T) => notices.map(of);
  await sql`
    INSERT INTO notices (tenant_id, rule_id, rule_name, channel_id, channel_name, group_key, message, ready_at, created_at)
    SELECT ${tenantId}, n.*, ${now}
    FROM unnest(${column(({ rule }) => rule.id)}::uuid[], ${column(({ rule }) => rule.name)}::text[],
      ${column(({ rule }) => rule.channel_id)}::uuid[], ${column(({ rule }) => rule.channel_name)}::text[],
      ${column(({ groupKey }) => groupKey)}::text[],
      ${column(({ message }) => JSON.stringify(message))}::jsonb[],
      ${column(({ readyAt }) => readyAt.toISOString())}::timestamptz[]) AS n
    ON CONFLICT (rule_id, group_key) WHERE state = 'collecting' DO UPDATE SET message = EXCLUDED.message`.execute(tx);
}

/** Lets messages be sent: those of groups that have ended, and those whose time has come. Returns how many. */
export async function releaseNotices(tx: Tx, endedGroups: readonly string[], now: Date): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('notices')
    .set({
      state: 'pending',
      ready_at: now,
      next_attempt_at: now,
      give_up_at: new Date(now.getTime() + giveUpAfterMs),
    })
    .where('state', '=', 'collecting')
    .where((eb) => eb.or([eb('ready_at', '<=', now), eb('group_key', '=', sql<string>`ANY(${endedGroups}::text[])`)]))
    .executeTakeFirst();
  return Number(numUpdatedRows);
}
