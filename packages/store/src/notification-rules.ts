import { KeyferryError } from '@keyferry/core';
import type { Selectable } from 'kysely';
import { lockNotifications } from './channels.ts';
import { codeOf, type Tx } from './database.ts';
import { columnOf } from './id-or-name.ts';
import { lastEventPosition } from './outbox.ts';
import type { Database } from './schema.ts';

export type NotificationRule = Selectable<Database['notification_rules']>;

/** What a person sets, with channel and backends by their ids. */
export type RuleSettings = Pick<
  NotificationRule,
  'name' | 'channel_id' | 'event_types' | 'backend_ids' | 'paths' | 'min_severity' | 'state'
>;

const mostRules = 200;

/** It tells of what happens from now on. Throws `rule_exists` or `limit_reached`. */
export async function createRule(
  tx: Tx,
  tenantId: string,
  settings: RuleSettings,
  now: Date,
): Promise<NotificationRule> {
  await lockNotifications(tx, tenantId);
  const { count } = await tx
    .selectFrom('notification_rules')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  if (count >= mostRules)
    throw new KeyferryError('limit_reached', `There are ${mostRules} rules, and no more can be made.`);
  const from_position = await lastEventPosition(tx);
  return await refusingDuplicates(settings.name, () =>
    tx
      .insertInto('notification_rules')
      .values({ ...settings, tenant_id: tenantId, from_position, created_at: now, updated_at: now })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/**
 * Changes what is given, and leaves the rest. What happened while it was paused is not told. Throws `rule_exists` or
 * `rule_not_found`.
 */
export async function updateRule(
  tx: Tx,
  tenantId: string,
  idOrName: string,
  settings: Partial<RuleSettings>,
  now: Date,
): Promise<NotificationRule> {
  await lockNotifications(tx, tenantId);
  const { id, state } = await getRule(tx, idOrName);
  const resumed = state === 'paused' && settings.state === 'active';
  const from = resumed ? { from_position: await lastEventPosition(tx) } : {};
  return await refusingDuplicates(settings.name ?? '', () =>
    tx
      .updateTable('notification_rules')
      .set({ ...settings, ...from, updated_at: now })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/** Removes a rule. What it has only begun to collect is discarded; what waits to be sent is sent. */
export async function removeRule(tx: Tx, tenantId: string, idOrName: string, now: Date): Promise<NotificationRule> {
  await lockNotifications(tx, tenantId);
  const rule = await getRule(tx, idOrName);
  await tx
    .updateTable('notices')
    .set({ state: 'discarded', ended_at: now })
    .where('rule_id', '=', rule.id)
    .where('state', '=', 'collecting')
    .execute();
  await tx.deleteFrom('notification_rules').where('id', '=', rule.id).execute();
  return rule;
}

export async function listRules(tx: Tx): Promise<NotificationRule[]> {
  return await tx.selectFrom('notification_rules').selectAll().orderBy('name').execute();
}

/** By id or by name. Throws `rule_not_found`. */
export async function getRule(tx: Tx, idOrName: string): Promise<NotificationRule> {
  const row = await tx
    .selectFrom('notification_rules')
    .selectAll()
    .where(columnOf(idOrName), '=', idOrName)
    .executeTakeFirst();
  if (!row) throw new KeyferryError('rule_not_found', `There is no rule "${idOrName}".`);
  return row;
}

async function refusingDuplicates<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (codeOf(error) === '23505') throw new KeyferryError('rule_exists', `There is a rule named "${name}" already.`);
    throw error;
  }
}
