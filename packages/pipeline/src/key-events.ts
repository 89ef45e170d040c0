import { type EventType, maxPathsPerEvent } from '@keyferry/core';
import type { Backend, NewEvent } from '@keyferry/store';

type KeyEventType = Extract<EventType, `keys.${string}`>;

/** Events that tell which keys changed, at most 500 paths each. */
export function keyEvents(
  type: KeyEventType,
  backend: Pick<Backend, 'id' | 'name' | 'kind'>,
  cycleId: string | null,
  paths: readonly string[],
): NewEvent[] {
  const events: NewEvent[] = [];
  for (let start = 0; start < paths.length; start += maxPathsPerEvent)
    events.push({
      type,
      data: {
        backend_id: backend.id,
        backend: backend.name,
        kind: backend.kind,
        cycle_id: cycleId,
        paths: paths.slice(start, start + maxPathsPerEvent),
      },
    });
  return events;
}
