import { type EventType, eventTypes, type Severity, severities, severityOf } from './event.ts';
import type { Glob } from './glob.ts';

/** Which events a rule tells of, and which of them are told in one message. */

export const channelKinds = ['webhook', 'slack', 'email'] as const;
export type ChannelKind = (typeof channelKinds)[number];

/** A paused channel or rule keeps what it has: the channel sends it once it is active again. */
export const notificationStates = ['active', 'paused'] as const;
export type NotificationState = (typeof notificationStates)[number];

/** collecting: more may come; pending: to be sent; the other three are ends. */
export const noticeStates = ['collecting', 'pending', 'delivered', 'failed', 'discarded'] as const;
export type NoticeState = (typeof noticeStates)[number];

/** What a rule tells of; empty lists mean all. */
export interface RuleFilter {
  eventTypes: readonly string[];
  backendIds: readonly string[];
  paths: readonly Glob[];
  minSeverity: Severity;
}

/** An event as the outbox has it. */
export interface HappenedEvent {
  /** Of an event that a former version wrote it may be one that there isn't any more. */
  type: string;
  /** Null where it is told of the tenant. */
  backend_id: string | null;
  data: Record<string, unknown>;
  occurred_at: Date;
}

/**
 * The paths of an event that a rule tells of, none where the event names none; null where the rule doesn't tell of it. A
 * rule with path globs tells only of events that name paths, and of the paths that match.
 */
export function toldPaths(filter: RuleFilter, event: HappenedEvent): string[] | null {
  if (rank(severityOfAny(event.type)) < rank(filter.minSeverity)) return null;
  if (filter.eventTypes.length > 0 && !filter.eventTypes.includes(event.type)) return null;
  if (filter.backendIds.length > 0 && !filter.backendIds.some((id) => id === event.backend_id)) return null;
  const paths = pathsOf(event);
  if (filter.paths.length === 0) return paths;
  const matching = paths.filter((path) => filter.paths.some((glob) => glob.test(path)));
  return matching.length > 0 ? matching : null;
}

/** Events of one group are told in one message of a rule. */
export interface EventGroup {
  key: string;
  cycleId: string | null;
  /** When it is told at the latest; by then for certain nothing more comes. */
  readyAt: Date;
}

/** An open cycle that didn't end for so long is told of anyway, in milliseconds. */
const longestCollectingMs = 3_600_000;
const minuteMs = 60_000;

/**
 * The events of a cycle are a group, which its end closes; those apart from cycles are one by backend and minute. What is
 * urgent, or critical apart from a cycle, waits for nothing.
 */
export function groupOf(event: HappenedEvent, now: Date): EventGroup {
  const minute = Math.floor(event.occurred_at.getTime() / minuteMs) * minuteMs;
  const apart = `${event.backend_id ?? 'tenant'}:${new Date(minute).toISOString()}`;
  const cycleId = cycleOf(event);
  if (event.data.urgent === true || (cycleId === null && severityOfAny(event.type) === 'critical'))
    return { key: `at-once:${apart}`, cycleId, readyAt: now };
  if (cycleId === null) return { key: `minute:${apart}`, cycleId, readyAt: new Date(minute + minuteMs) };
  return { key: cycleGroup(cycleId), cycleId, readyAt: new Date(now.getTime() + longestCollectingMs) };
}

/** The group that an event is the last one of. */
export function endedGroup(event: HappenedEvent): string | null {
  const ends = event.type === 'federation.sync.completed' || event.type === 'federation.sync.failed';
  const cycleId = ends ? cycleOf(event) : null;
  return cycleId === null ? null : cycleGroup(cycleId);
}

const cycleGroup = (cycleId: string) => `cycle:${cycleId}`;

function cycleOf({ data }: HappenedEvent): string | null {
  return typeof data.cycle_id === 'string' ? data.cycle_id : null;
}

function pathsOf({ data }: HappenedEvent): string[] {
  return Array.isArray(data.paths) ? data.paths.filter((path) => typeof path === 'string') : [];
}

const isEventType = (type: string): type is EventType => eventTypes.some((known) => known === type);

export const severityOfAny = (type: string): Severity => (isEventType(type) ? severityOf(type) : 'info');

const rank = (severity: Severity) => severities.indexOf(severity);

export const graver = (one: Severity, other: Severity): Severity => (rank(one) >= rank(other) ? one : other);
