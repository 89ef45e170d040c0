import { createDatabase } from '@keyferry/testing/support/database.ts';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { expect, onTestFinished, test } from 'vitest';
import {
  createChannel,
  createKeyring,
  createRule,
  defaultTenantId,
  getChannel,
  getRule,
  listChannels,
  listDeliveries,
  listRules,
  loadMasterKey,
  openChannelSecret,
  openStore,
  replayFailed,
} from '../src/index.ts';

const other = '11111111-1111-4111-8111-111111111111';

async function twoTenants() {
  const database = await createDatabase();
  const store = openStore({ connectionString: database.url });
  onTestFinished(async () => {
    await store.close();
    await database.drop();
  });
  await asAdmin(database.ownerUrl, (client) =>
    client.query('INSERT INTO keyferry.tenants (id, name) VALUES ($1, $2)', [other, 'other']),
  );
  const keyring = createKeyring(store, await loadMasterKey(store, { text: Buffer.alloc(32, 1).toString('base64') }));
  const now = new Date();
  const keys = await keyring.ofTenant(defaultTenantId);
  const settings = { name: 'ops', config: {}, secret: { url: 'https://canary.example/' }, state: 'active' as const };
  const input = { tenantId: defaultTenantId, kind: 'slack' as const, settings, keys, now };
  const channel = await store.inTenant(defaultTenantId, (tx) => createChannel(tx, input));
  return { store, keyring, channel, database, keys, now };
}

const rule = (channelId: string) => ({
  name: 'all',
  channel_id: channelId,
  event_types: [],
  backend_ids: [],
  paths: [],
  min_severity: 'info' as const,
  state: 'active' as const,
});

test('another tenant sees nothing of channels, rules and deliveries, and can’t tell anything on them', async () => {
  const { store, keyring, channel, database, now } = await twoTenants();
  const made = await store.inTenant(defaultTenantId, (tx) => createRule(tx, defaultTenantId, rule(channel.id), now));
  await asAdmin(database.ownerUrl, (client) =>
    client.query(
      `INSERT INTO keyferry.notices (tenant_id, rule_id, rule_name, channel_id, channel_name, group_key, state, message,
        ready_at, created_at) VALUES ($1, $2, 'all', $3, 'ops', 'g', 'failed', '{}', now(), now())`,
      [defaultTenantId, made.id, channel.id],
    ),
  );
  const otherKeys = await keyring.ofTenant(other);
  await store.inTenant(other, async (tx) => {
    expect(await listChannels(tx)).toEqual([]);
    expect(await listRules(tx)).toEqual([]);
    expect(await listDeliveries(tx, { limit: 10 })).toEqual([]);
    expect(await replayFailed(tx, undefined, now)).toBe(0);
    for (const look of [() => getChannel(tx, channel.id), () => openChannelSecret(tx, channel.id, otherKeys)])
      await expect(look()).rejects.toMatchObject({ code: 'channel_not_found' });
    await expect(getRule(tx, made.id)).rejects.toMatchObject({ code: 'rule_not_found' });
  });
  const foreign = store.inTenant(other, (tx) => createRule(tx, other, rule(channel.id), now));
  await expect(foreign).rejects.toThrow(/foreign key/);
});

test('what a channel keeps secret opens for that channel alone', async () => {
  const { store, channel, database, keys, now } = await twoTenants();
  const settings = { name: 'second', config: {}, secret: { url: 'https://second.example/' }, state: 'active' as const };
  const input = { tenantId: defaultTenantId, kind: 'slack' as const, settings, keys, now };
  const second = await store.inTenant(defaultTenantId, (tx) => createChannel(tx, input));
  await asAdmin(database.ownerUrl, (client) =>
    client.query(
      'UPDATE keyferry.channels SET secret = (SELECT secret FROM keyferry.channels WHERE id = $1) WHERE id = $2',
      [channel.id, second.id],
    ),
  );
  const open = (id: string) => store.inTenant(defaultTenantId, (tx) => openChannelSecret(tx, id, keys));
  expect(await open(channel.id)).toEqual({ url: 'https://canary.example/' });
  await expect(open(second.id)).rejects.toMatchObject({ code: 'decryption_failed' });
});

test('there are at most 200 rules, and each name is there once', async () => {
  const { store, channel, now } = await twoTenants();
  const create = (name: string) =>
    store.inTenant(defaultTenantId, (tx) => createRule(tx, defaultTenantId, { ...rule(channel.id), name }, now));
  await create('rule-0');
  await expect(create('rule-0')).rejects.toMatchObject({ code: 'rule_exists' });
  for (let number = 1; number < 200; number++) await create(`rule-${number}`);
  await expect(create('rule-200')).rejects.toMatchObject({ code: 'limit_reached' });
});
