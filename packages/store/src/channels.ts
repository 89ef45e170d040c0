import { randomUUID } from 'node:crypto';
import {
  type ChannelKind,
  giveUpAfterMs,
  isObject,
  KeyferryError,
  type NotificationState,
  textOf,
} from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import { openCredentialKey } from './credential-keys.ts';
import { codeOf, type Tx } from './database.ts';
import { channelBinding } from './encryption/bindings.ts';
import type { TenantKeys } from './encryption/tenant-keys.ts';
import { columnOf } from './id-or-name.ts';
import type { Database } from './schema.ts';

export type Channel = Omit<Selectable<Database['channels']>, 'secret' | 'secret_key_id'>;

/** What a person sets. `secret` is encrypted and never shown. */
export interface ChannelSettings {
  name: string;
  config: Record<string, unknown>;
  secret: Record<string, unknown>;
  state: NotificationState;
}

const mostChannels = 50;

const shown = [
  'id',
  'tenant_id',
  'name',
  'kind',
  'config',
  'state',
  'failures',
  'retry_at',
  'last_delivered_at',
  'last_failed_at',
  'last_error_code',
  'last_error_message',
  'created_at',
  'updated_at',
] as const;

/**
 * Keeps the tenant's notifications to this transaction until it ends: rules don't change while events are matched with
 * them, and are counted one at a time.
 */
export async function lockNotifications(tx: Tx, tenantId: string): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`notifications:${tenantId}`}, 0))`.execute(tx);
}

/** Throws `channel_exists` or `limit_reached`. */
export async function createChannel(
  tx: Tx,
  input: { tenantId: string; id?: string; kind: ChannelKind; settings: ChannelSettings; keys: TenantKeys; now: Date },
): Promise<Channel> {
  const { tenantId, kind, keys, now } = input;
  const { secret, config, ...settings } = input.settings;
  await lockNotifications(tx, tenantId);
  const { count } = await tx
    .selectFrom('channels')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  if (count >= mostChannels)
    throw new KeyferryError('limit_reached', `There are ${mostChannels} channels, and no more can be made.`);
  const id = input.id ?? randomUUID();
  return (await refusingDuplicates(settings.name, () =>
    tx
      .insertInto('channels')
      .values({
        ...settings,
        ...sealedSecret(tenantId, id, secret, keys),
        id,
        tenant_id: tenantId,
        kind,
        config: JSON.stringify(config),
        created_at: now,
        updated_at: now,
      })
      .returning(shown)
      .executeTakeFirstOrThrow(),
  )) as Channel;
}

/**
 * Changes what is given, and leaves the rest. Where the channel is active then, what waits for it is sent at once, and has
 * all of its time again. Throws `channel_exists` or `channel_not_found`.
 */
export async function updateChannel(
  tx: Tx,
  input: { tenantId: string; id: string; settings: Partial<ChannelSettings>; keys: TenantKeys; now: Date },
): Promise<Channel> {
  const { tenantId, id, keys, now } = input;
  const { secret, config, ...rest } = input.settings;
  const row = await refusingDuplicates(rest.name ?? '', () =>
    tx
      .updateTable('channels')
      .set({
        ...rest,
        ...(config && { config: JSON.stringify(config) }),
        ...(secret && sealedSecret(tenantId, id, secret, keys)),
        failures: 0,
        retry_at: null,
        updated_at: now,
      })
      .where('id', '=', id)
      .returning(shown)
      .executeTakeFirst(),
  );
  if (!row) throw unknownChannel(id);
  if (row.state === 'active') await freshStart(tx, id, now);
  return row as Channel;
}

async function freshStart(tx: Tx, channelId: string, now: Date): Promise<void> {
  await tx
    .updateTable('notices')
    .set({ next_attempt_at: now, refusals: 0, give_up_at: new Date(now.getTime() + giveUpAfterMs) })
    .where('channel_id', '=', channelId)
    .where('state', '=', 'pending')
    .execute();
}

export async function listChannels(tx: Tx): Promise<Channel[]> {
  return (await tx.selectFrom('channels').select(shown).orderBy('name').execute()) as Channel[];
}

/** By id or by name. Throws `channel_not_found`. */
export async function getChannel(tx: Tx, idOrName: string, options: { lock?: boolean } = {}): Promise<Channel> {
  const query = tx.selectFrom('channels').select(shown).where(columnOf(idOrName), '=', idOrName);
  const row = await (options.lock ? query.forUpdate() : query).executeTakeFirst();
  if (!row) throw unknownChannel(idOrName);
  return row as Channel;
}

/** The channel's addresses and credentials in clear, but for those that are kept in keys. Throws `channel_not_found`. */
export async function openChannelSecret(tx: Tx, id: string, keys: TenantKeys): Promise<Record<string, unknown>> {
  const row = await tx
    .selectFrom('channels')
    .select(['tenant_id', 'secret', 'secret_key_id'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (!row) throw unknownChannel(id);
  const sealed = { ciphertext: row.secret, encryptionKeyId: row.secret_key_id };
  return JSON.parse((await keys.unseal(sealed, channelBinding(row.tenant_id, id))).toString('utf8'));
}

/** A member of a channel's secret that is kept in a key, by its local path. */
export const keptIn = (path: string) => ({ kept_in: path });

/** Where a member is kept; null for one that is there itself. */
export const keptPath = (member: unknown): string | null =>
  isObject(member) && typeof member.kept_in === 'string' ? member.kept_in : null;

/** A channel's secret with what is kept in keys. Throws `reference_unresolved` or `credentials_withdrawn`. */
export async function readKept(
  tx: Tx,
  secret: Record<string, unknown>,
  keys: TenantKeys,
  now: Date,
): Promise<Record<string, unknown>> {
  const read: Record<string, unknown> = {};
  for (const [member, value] of Object.entries(secret)) {
    const path = keptPath(value);
    read[member] = path === null ? value : textOf((await openCredentialKey(tx, path, keys, now)).value, null);
  }
  return read;
}

/**
 * Removes a channel that no rule uses; what still waits for it is discarded, and stays in the log. Throws
 * `channel_not_found` or `channel_in_use`.
 */
export async function removeChannel(tx: Tx, tenantId: string, idOrName: string, now: Date): Promise<Channel> {
  await lockNotifications(tx, tenantId);
  const channel = await getChannel(tx, idOrName, { lock: true });
  const rules = await tx
    .selectFrom('notification_rules')
    .select('name')
    .where('channel_id', '=', channel.id)
    .orderBy('name')
    .execute();
  if (rules.length > 0)
    throw new KeyferryError(
      'channel_in_use',
      `The channel "${channel.name}" is used by the rules ${rules.map(({ name }) => name).join(', ')}.`,
      { details: { rules: rules.map(({ name }) => name) } },
    );
  await tx
    .updateTable('notices')
    .set({ state: 'discarded', ended_at: now })
    .where('channel_id', '=', channel.id)
    .where('state', 'in', ['collecting', 'pending'])
    .execute();
  await tx.deleteFrom('channels').where('id', '=', channel.id).execute();
  return channel;
}

function sealedSecret(tenantId: string, id: string, secret: Record<string, unknown>, keys: TenantKeys) {
  const sealed = keys.seal(Buffer.from(JSON.stringify(secret), 'utf8'), channelBinding(tenantId, id));
  return { secret: sealed.ciphertext, secret_key_id: sealed.encryptionKeyId };
}

function unknownChannel(idOrName: string): KeyferryError {
  return new KeyferryError('channel_not_found', `There is no channel "${idOrName}".`);
}

async function refusingDuplicates<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (codeOf(error) === '23505')
      throw new KeyferryError('channel_exists', `There is a channel named "${name}" already.`);
    throw error;
  }
}
