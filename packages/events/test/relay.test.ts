import { openRedis } from '@keyferry/queue';
import {
  appendEvents,
  createBackend,
  createKeyring,
  defaultTenantId,
  loadMasterKey,
  openStore,
  type Store,
} from '@keyferry/store';
import { settingsFor } from '@keyferry/testing/support/backend-settings.ts';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { newQueuePrefix, redisUrl } from '@keyferry/testing/support/redis.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { eventStreamOf, type RelayOptions, relayOutbox } from '../src/index.ts';

let database: TestDatabase;
let store: Store;
let options: RelayOptions;
let backendId: string;
const logged: object[] = [];
const log: RelayOptions['log'] = {
  debug: () => {},
  info: (fields) => void logged.push(fields),
  warn: () => {},
  error: () => {},
  child: () => log,
};

beforeEach(async () => {
  logged.length = 0;
  database = await createDatabase();
  store = openStore({ connectionString: database.url });
  const redis = openRedis(redisUrl(), 'producer', () => {});
  await vi.waitUntil(() => redis.status === 'ready');
  options = { store, redis, prefix: newQueuePrefix(), log, now: () => new Date() };
  const keyring = createKeyring(store, await loadMasterKey(store, { text: Buffer.alloc(32, 1).toString('base64') }));
  const keys = await keyring.ofTenant(defaultTenantId);
  const settings = settingsFor({ url: 'http://127.0.0.1:1', rootToken: 't' }, { name: 'team' });
  const input = { tenantId: defaultTenantId, settings, keys, now: new Date() };
  backendId = (await store.inTenant(defaultTenantId, (tx) => createBackend(tx, input))).id;
});
afterEach(async () => {
  options.redis.disconnect();
  await store.close();
  await database.drop();
});

const append = (count: number) =>
  store.inTenant(defaultTenantId, (tx) => {
    const events = Array.from({ length: count }, () => ({
      type: 'keys.created' as const,
      data: { backend: 'team', paths: ['a'] },
    }));
    return appendEvents(tx, backendId, events, new Date());
  });

async function streamed(): Promise<{ id: string; sequence: string }[]> {
  const entries = await options.redis.xrange(eventStreamOf(options.prefix), '-', '+');
  return entries.map(([, fields]) => JSON.parse(fields[1] as string));
}

test('events are delivered in order, as CloudEvents, to the stream and the log', async () => {
  await append(250);
  expect(await relayOutbox(options)).toBe(250);
  const events = await streamed();
  expect(events.map((event) => Number(event.sequence))).toEqual(Array.from({ length: 250 }, (_, index) => index + 1));
  expect(events[0]).toMatchObject({
    specversion: '1.0',
    type: 'keys.created',
    subject: 'team',
    datacontenttype: 'application/json',
  });
  expect(logged).toHaveLength(250);
  expect(await relayOutbox(options)).toBe(0);
});

test('two relays at once deliver each event once', async () => {
  await append(300);
  await relayOutbox(options).then(() => append(300));
  await Promise.all([relayOutbox(options), relayOutbox(options), relayOutbox(options)]);
  await relayOutbox(options);
  const ids = (await streamed()).map((event) => event.id);
  expect(ids).toHaveLength(600);
  expect(new Set(ids).size).toBe(600);
});

test('a stream that was lost is filled again with the same events', async () => {
  await append(3);
  await relayOutbox(options);
  const before = await streamed();
  await options.redis.del(eventStreamOf(options.prefix));
  await relayOutbox(options);
  expect((await streamed()).map((event) => event.id)).toEqual(before.map((event) => event.id));
});

test('a Redis that came back older than it was gets what it lost', async () => {
  await append(2);
  await relayOutbox(options);
  const stream = eventStreamOf(options.prefix);
  const snapshot = await options.redis.dumpBuffer(stream);
  await append(1);
  await relayOutbox(options);
  // As after a restart from an older snapshot, or a failover to a replica that was behind: another run of the server.
  await options.redis.restore(stream, 0, snapshot as Buffer, 'REPLACE');
  await options.redis.set(`${stream}:server-run`, 'another');
  await relayOutbox(options);
  expect(new Set((await streamed()).map((event) => event.sequence))).toEqual(new Set(['1', '2', '3']));
});

test('events that can’t be delivered stay, and come in order later', async () => {
  await append(2);
  const away = { ...options, redis: openRedis('redis://127.0.0.1:1', 'producer', () => {}) };
  await expect(relayOutbox(away)).rejects.toThrow();
  away.redis.disconnect();
  await append(1);
  expect(await relayOutbox(options)).toBe(3);
  expect((await streamed()).map((event) => event.sequence)).toEqual(['1', '2', '3']);
});

test('a Redis that restarts every day gets no event again and again', async () => {
  let now = Date.now();
  const daily = { ...options, now: () => new Date(now) };
  const appendAt = () =>
    store.inTenant(defaultTenantId, (tx) =>
      appendEvents(tx, backendId, [{ type: 'keys.created', data: { backend: 'team', paths: ['a'] } }], daily.now()),
    );
  const delivered: number[] = [];
  for (let day = 0; day < 5; day++) {
    await appendAt();
    await options.redis.set(`${eventStreamOf(options.prefix)}:server-run`, `run ${day}`);
    delivered.push(await relayOutbox(daily));
    now += 23 * 3600 * 1000;
  }
  expect(delivered).toEqual([1, 2, 2, 2, 2]);
});
