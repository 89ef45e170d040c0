import { type EventType, maxPathsPerEvent } from '@keyferry/core';
import type { Backend } from './backends.ts';
import type { Tx } from './database.ts';
import { appendEvents, type NewEvent } from './outbox.ts';

type KeyEventType = Extract<EventType, `keys.${string}` | `conflict.${string}`>;

/** What an event tells of one key beside its path. */
export type KeyFacts = Record<string, string | number | Date | null>;

/**
 * Events that tell which keys changed, at most 500 each: by their paths, and where more is told of each, by `keys` as well.
 * `more` is told of all of them.
 */
export function keyEvents(
  type: KeyEventType,
  backend: Pick<Backend, 'id' | 'name' | 'kind'>,
  cycleId: string | null,
  keys: readonly (string | ({ path: string } & KeyFacts))[],
  more: Record<string, unknown> = {},
): NewEvent[] {
  const events: NewEvent[] = [];
  for (let start = 0; start < keys.length; start += maxPathsPerEvent) {
    const some = keys.slice(start, start + maxPathsPerEvent);
    const told = some.filter((key) => typeof key !== 'string' && Object.keys(key).length > 1);
    events.push({
      type,
      data: {
        backend_id: backend.id,
        backend: backend.name,
        kind: backend.kind,
        cycle_id: cycleId,
        paths: some.map((key) => (typeof key === 'string' ? key : key.path)),
        ...(told.length > 0 && { keys: told }),
        ...more,
      },
    });
  }
  return events;
}

/** So many events are written in one statement. */
const eventsAtOnce = 50;

/** The same of very many keys, written a part at a time. */
export async function appendKeyEvents(
  tx: Tx,
  backend: Pick<Backend, 'id' | 'name' | 'kind'>,
  type: KeyEventType,
  paths: readonly string[],
  { more = {}, now }: { more?: Record<string, unknown>; now: Date },
): Promise<void> {
  const pathsAtOnce = eventsAtOnce * maxPathsPerEvent;
  for (let start = 0; start < paths.length; start += pathsAtOnce) {
    const some = paths.slice(start, start + pathsAtOnce);
    await appendEvents(tx, backend.id, keyEvents(type, backend, null, some, more), now);
  }
}
