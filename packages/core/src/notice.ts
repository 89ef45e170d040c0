import { type Severity, severities } from './event.ts';
import { eventNotes } from './event-notes.ts';
import { graver, type HappenedEvent, severityOfAny } from './notification.ts';

/** What one message tells, as it is collected from events. Never a value. */

export interface NoticeMessage {
  severity: Severity;
  /** Null where it tells of the tenant. */
  backend_id: string | null;
  backend: string;
  cycle_id: string | null;
  first_at: string;
  last_at: string;
  hold_ids: string[];
  /** By type, gravest first. */
  events: NoticeEvents[];
}

export interface NoticeEvents {
  type: string;
  severity: Severity;
  /** How many events. */
  events: number;
  /** How many keys they name. */
  keys: number;
  /** Some of them. */
  paths: string[];
  /** What else is to be said of them, in sentences. */
  notes: string[];
}

/** Most paths, notes and holds that a message names; it tells how many keys there are. */
const mostPaths = 20;
const mostNotes = 5;
const mostHolds = 20;

/** The message with one more event, of which these paths are told. */
export function withEvent(
  message: NoticeMessage | null,
  event: HappenedEvent,
  paths: readonly string[],
  cycleId: string | null,
): NoticeMessage {
  const severity = severityOfAny(event.type);
  const at = event.occurred_at.toISOString();
  const before = message ?? {
    severity,
    backend_id: event.backend_id,
    backend: String(event.data.backend ?? event.backend_id ?? 'tenant'),
    cycle_id: cycleId,
    first_at: at,
    last_at: at,
    hold_ids: [],
    events: [],
  };
  const known = before.events.find(({ type }) => type === event.type);
  const entry: NoticeEvents = {
    type: event.type,
    severity,
    events: (known?.events ?? 0) + 1,
    keys: (known?.keys ?? 0) + paths.length,
    paths: unique([...(known?.paths ?? []), ...paths.slice(0, mostPaths)], mostPaths),
    notes: unique([...(known?.notes ?? []), ...eventNotes(event, paths, mostNotes)], mostNotes),
  };
  const times = [before.first_at, before.last_at, at].sort();
  const others = before.events.filter(({ type }) => type !== event.type);
  const holds = typeof event.data.hold_id === 'string' ? [event.data.hold_id] : [];
  return {
    ...before,
    severity: graver(before.severity, severity),
    first_at: times[0] ?? at,
    last_at: times.at(-1) ?? at,
    hold_ids: unique([...before.hold_ids, ...holds], mostHolds),
    events: [...others, entry].sort(byGravity),
  };
}

const unique = (texts: readonly string[], most: number) => [...new Set(texts)].slice(0, most);

function byGravity(one: NoticeEvents, other: NoticeEvents): number {
  const gravity = (entry: NoticeEvents) => severities.indexOf(entry.severity);
  return gravity(other) - gravity(one) || (one.type < other.type ? -1 : 1);
}
