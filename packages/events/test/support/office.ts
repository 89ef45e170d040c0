import type { OpenChannel } from '@keyferry/contracts';
import type { EventType } from '@keyferry/core';
import { createEgressClient, parseEgress, type Resolve } from '@keyferry/egress';
import {
  appendEvents,
  type Channel,
  createBackend,
  createChannel,
  createKeyring,
  createRule,
  defaultTenantId,
  loadMasterKey,
  type Notice,
  type NotificationRule,
  openStore,
  type RuleSettings,
  type Store,
} from '@keyferry/store';
import type { Log, LogFields } from '@keyferry/telemetry';
import { settingsFor } from '@keyferry/testing/support/backend-settings.ts';
import { createDatabase } from '@keyferry/testing/support/database.ts';
import { onTestFinished } from 'vitest';
import {
  collectNotices,
  createDeliverer,
  type Deliverer,
  type DeliveryServices,
  newSigningSecret,
} from '../../src/index.ts';

/** Events, rules and channels of one tenant, and a clock that tests move. */
export interface Office {
  store: Store;
  ownerUrl: string;
  services: DeliveryServices;
  lines: string[];
  now(): Date;
  advance(seconds: number): void;
  addBackend(name: string): Promise<string>;
  happen(backendId: string, ...events: [EventType, Record<string, unknown>][]): Promise<void>;
  addWebhook(url: string, name?: string): Promise<Channel>;
  addChannel(channel: OpenChannel): Promise<Channel>;
  addRule(channel: Channel, settings?: Partial<RuleSettings>): Promise<NotificationRule>;
  collect(): Promise<number>;
  deliverer(options?: Partial<DeliveryServices>): Deliverer;
  /** Sends what is due, and waits for its end. */
  deliver(deliverer?: Deliverer): Promise<number>;
  notices(): Promise<Notice[]>;
  channel(name: string): Promise<Channel>;
}

export async function openOffice({
  allowed = '127.0.0.1',
  resolve,
}: {
  allowed?: string;
  resolve?: Resolve;
} = {}): Promise<Office> {
  const database = await createDatabase();
  const store = openStore({ connectionString: database.url });
  const egress = createEgressClient({ policy: parseEgress(allowed), ...(resolve && { resolve }) });
  onTestFinished(async () => {
    await egress.close();
    await store.close();
    await database.drop();
  });
  const keyring = createKeyring(store, await loadMasterKey(store, { text: Buffer.alloc(32, 1).toString('base64') }));
  const tenantId = defaultTenantId;
  const keys = await keyring.ofTenant(tenantId);
  const lines: string[] = [];
  let time = Date.UTC(2026, 0, 1, 12, 0, 0);
  const now = () => new Date(time);
  const services: DeliveryServices = { store, keyring, egress, log: logInto(lines), now, random: () => 0 };
  let names = 0;

  const office: Office = {
    store,
    ownerUrl: database.ownerUrl,
    services,
    lines,
    now,
    advance(seconds) {
      time += seconds * 1000;
    },
    async addBackend(name) {
      const settings = settingsFor({ url: 'http://127.0.0.1:1', rootToken: 't' }, { name });
      const input = { tenantId, settings, keys, now: now() };
      return (await store.inTenant(tenantId, (tx) => createBackend(tx, input))).id;
    },
    async happen(backendId, ...events) {
      const full = events.map(([type, data]) => ({ type, data: { backend_id: backendId, backend: 'team', ...data } }));
      await store.inTenant(tenantId, (tx) => appendEvents(tx, backendId, full, now()));
    },
    addWebhook: (url, name = `hook-${++names}`) =>
      office.addChannel({ kind: 'webhook', name, url, signing_secret: newSigningSecret() }),
    async addChannel({ kind, name, ...secret }) {
      const settings = { name, config: {}, secret, state: 'active' as const };
      return await store.inTenant(tenantId, (tx) => createChannel(tx, { tenantId, kind, settings, keys, now: now() }));
    },
    async addRule(channel, settings = {}) {
      const all = { event_types: [], backend_ids: [], paths: [], min_severity: 'info', state: 'active' } as const;
      const complete: RuleSettings = {
        ...{ ...all, event_types: [], backend_ids: [], paths: [] },
        name: `rule-${++names}`,
        channel_id: channel.id,
        ...settings,
      };
      return await store.inTenant(tenantId, (tx) => createRule(tx, tenantId, complete, now()));
    },
    collect: () => collectNotices({ store, now }),
    deliverer: (options = {}) => createDeliverer({ ...services, ...options }),
    async deliver(deliverer = office.deliverer()) {
      let sent = 0;
      for (;;) {
        const begun = await deliverer.begin();
        await deliverer.settled();
        if (begun === 0) return sent;
        sent += begun;
      }
    },
    notices: () =>
      store.inTenant(tenantId, (tx) =>
        tx.selectFrom('notices').selectAll().orderBy('created_at').orderBy('rule_name').execute(),
      ),
    channel: (name) =>
      store.inTenant(tenantId, (tx) =>
        tx.selectFrom('channels').selectAll().where('name', '=', name).executeTakeFirstOrThrow(),
      ),
  };
  return office;
}

function logInto(lines: string[]): Log {
  const write = (fields: LogFields, message: string) => {
    const error = fields.error instanceof Error ? fields.error.message : undefined;
    lines.push(JSON.stringify({ message, ...fields, error }));
  };
  const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log };
  return log;
}
