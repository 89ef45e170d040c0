import type { Redis } from '@keyferry/queue';
import { backendsWithUndeliveredEvents, relayEvents, type Store } from '@keyferry/store';
import type { Log } from '@keyferry/telemetry';
import { toCloudEvent } from './cloud-event.ts';

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

export const eventStreamOf = (prefix: string) => `${prefix}:events`;

/**
 * Delivers what the outbox holds, to the Redis stream and to the log: each event at least once under one id, in order
 * within a backend. Any number of relays may run. Returns how many events were delivered.
 */
export async function relayOutbox({ store, redis, prefix, log, now }: RelayOptions): Promise<number> {
  let delivered = 0;
  for (const backend of await backendsWithUndeliveredEvents(store)) {
    let count: number;
    do {
      count = await relayEvents(store, backend, batchSize, now, async (events) => {
        const commands = redis.pipeline();
        for (const event of events)
          commands.xadd(
            eventStreamOf(prefix),
            'MAXLEN',
            '~',
            streamLength,
            '*',
            'event',
            JSON.stringify(toCloudEvent(event)),
          );
        const failure = (await commands.exec())?.find(([error]) => error)?.[0];
        if (failure) throw failure;
        for (const event of events)
          log.info({ event_id: event.id, type: event.type, sequence: event.seq, data: event.data }, 'event');
      });
      delivered += count;
    } while (count === batchSize);
  }
  return delivered;
}
