import { toCloudEvent } from '@keyferry/contracts';
import { forEachDespiteErrors } from '@keyferry/core';
import type { Redis } from '@keyferry/queue';
import {
  keptTenants,
  redeliverEvents,
  relayEvents,
  type Store,
  type StoredEvent,
  sourcesWithUndeliveredEvents,
} from '@keyferry/store';
import type { Log } from '@keyferry/telemetry';

export interface RelayOptions {
  store: Store;
  redis: Redis;
  /** The queues' prefix: the stream is `<prefix>:events`. */
  prefix: string;
  log: Log;
  now: () => Date;
}

const batchSize = 100;
/** About how many events the stream keeps. Postgres keeps them for a week, so a reader that fell behind goes there. */
const streamLength = 10_000;
/** What was delivered within this time is delivered again into a stream that was lost. */
const refillMs = 24 * 3600 * 1000;

export const eventStreamOf = (prefix: string) => `${prefix}:events`;

/**
 * Delivers what the outbox holds, to the Redis stream and to the log: each event at least once under one id, in order
 * within a backend, and within what is told of a tenant. Any number of relays may run. Returns how many events were delivered.
 */
export async function relayOutbox(options: RelayOptions): Promise<number> {
  await restoreStream(options);
  let delivered = 0;
  await forEachDespiteErrors(await sourcesWithUndeliveredEvents(options.store), async (source) => {
    let count: number;
    do {
      count = await relayEvents(options.store, source, batchSize, options.now, (events) => deliver(options, events));
      delivered += count;
    } while (count === batchSize);
  });
  return delivered;
}

async function deliver({ redis, prefix, log }: RelayOptions, events: StoredEvent[]): Promise<void> {
  const commands = redis.pipeline();
  for (const event of events) {
    const text = JSON.stringify(toCloudEvent(event));
    commands.xadd(eventStreamOf(prefix), 'NOMKSTREAM', 'MAXLEN', '~', streamLength, '*', 'event', text);
  }
  for (const [error, id] of (await commands.exec()) ?? []) {
    if (error) throw error;
    if (id === null) throw new Error('The event stream was lost in this moment.');
  }
  for (const event of events)
    log.info({ event_id: event.id, type: event.type, sequence: event.seq, data: event.data }, 'event');
}

/**
 * Makes the stream where there is none, and notes which run of the server it is in. Redis may have been flushed, or have
 * come back older than it was, and whoever reads the stream must not miss what was in it: then recent events are delivered
 * again, under the same ids.
 */
async function restoreStream({ store, redis, prefix, now }: RelayOptions): Promise<void> {
  const stream = eventStreamOf(prefix);
  const noted = `${stream}:server-run`;
  const run = /^run_id:(\w+)/m.exec(await redis.info('server'))?.[1] ?? '';
  const [exists, known] = await Promise.all([redis.exists(stream), redis.get(noted)]);
  if (exists && known === run) return;
  const since = new Date(now().getTime() - refillMs);
  // What a suspended tenant's readers would have missed waits until it goes on.
  for (const tenantId of await keptTenants(store)) await store.inTenant(tenantId, (tx) => redeliverEvents(tx, since));
  // A group is the one way to make an empty stream.
  if (!exists) await redis.xgroup('CREATE', stream, 'keyferry', '$', 'MKSTREAM');
  await redis.set(noted, run);
}
