import type { EventType } from '@keyferry/core';
import { z } from 'zod';
import {
  anchoredEventData,
  conflictEventData,
  conflictResolvedEventData,
  createdEventData,
  cycleEventData,
  deletedEventData,
  heldEventData,
  invalidEventData,
  keysEventData,
  overdueEventData,
  personEventData,
  recoveredEventData,
  remindedEventData,
  renamedEventData,
  restoredEventData,
  revokedEventData,
  rolledBackEventData,
  rotatedEventData,
  settledEventData,
  unreachableEventData,
} from './event-data.ts';
import { count, timestamp } from './fields.ts';
import { limit } from './page.ts';

const dataOf = {
  'federation.sync.completed': cycleEventData,
  'federation.sync.failed': cycleEventData,
  'federation.backend.unreachable': unreachableEventData,
  'federation.backend.recovered': recoveredEventData,
  'keys.created': createdEventData,
  'keys.rotated': rotatedEventData,
  'keys.rolled_back': rolledBackEventData,
  'keys.rotation_overdue': overdueEventData,
  'keys.invalid': invalidEventData,
  'keys.missing': keysEventData,
  'keys.renamed': renamedEventData,
  'keys.restored': restoredEventData,
  'keys.deprecated': keysEventData,
  'keys.archiving_soon': remindedEventData,
  'keys.expiring_soon': remindedEventData,
  'keys.archived': keysEventData,
  'keys.expired': keysEventData,
  'keys.revoked': revokedEventData,
  'keys.unrevoked': personEventData,
  'keys.deleted': deletedEventData,
  'keys.purged': keysEventData,
  'conflict.detected': conflictEventData,
  'conflict.resolved': conflictResolvedEventData,
  'deprecation.held': heldEventData,
  'deprecation.settled': settledEventData,
  'audit.anchored': anchoredEventData,
} as const satisfies Record<EventType, z.ZodType>;

/** CloudEvents 1.0 in JSON, with the extensions `tenantid` and `sequence`. */
const envelope = z.object({
  specversion: z.literal('1.0'),
  id: z.uuid().describe('Stays the same however often the event is delivered.'),
  source: z.string(),
  subject: z.string().describe('The backend’s name; `tenant` where it tells of the tenant.'),
  time: timestamp,
  datacontenttype: z.literal('application/json'),
  tenantid: z.uuid(),
  sequence: z.string().regex(/^\d+$/).describe('The number of the event within its source.'),
});

function eventOf<Type extends EventType>(type: Type) {
  return envelope.extend({ type: z.literal(type), data: dataOf[type] });
}

export const cloudEvent = z
  .discriminatedUnion('type', [
    eventOf('federation.sync.completed'),
    eventOf('federation.sync.failed'),
    eventOf('federation.backend.unreachable'),
    eventOf('federation.backend.recovered'),
    eventOf('keys.created'),
    eventOf('keys.rotated'),
    eventOf('keys.rolled_back'),
    eventOf('keys.rotation_overdue'),
    eventOf('keys.invalid'),
    eventOf('keys.missing'),
    eventOf('keys.renamed'),
    eventOf('keys.restored'),
    eventOf('keys.deprecated'),
    eventOf('keys.archiving_soon'),
    eventOf('keys.expiring_soon'),
    eventOf('keys.archived'),
    eventOf('keys.expired'),
    eventOf('keys.revoked'),
    eventOf('keys.unrevoked'),
    eventOf('keys.deleted'),
    eventOf('keys.purged'),
    eventOf('conflict.detected'),
    eventOf('conflict.resolved'),
    eventOf('deprecation.held'),
    eventOf('deprecation.settled'),
    eventOf('audit.anchored'),
  ])
  .meta({ id: 'Event' });
export type CloudEvent = z.output<typeof cloudEvent>;

/** An event as the outbox keeps it, its data as JSON. */
export interface OutboxEvent {
  id: string;
  tenant_id: string;
  backend_id: string | null;
  seq: number;
  type: EventType;
  data: Record<string, unknown>;
  occurred_at: Date;
}

/** The envelope of any event, its data not looked into. */
export type EventEnvelope = z.output<typeof envelope> & { type: EventType; data: Record<string, unknown> };

/** An event of the outbox as it is sent. What was written is sent on as it is, also by an older version's shape. */
export function toCloudEvent(event: OutboxEvent): EventEnvelope {
  return {
    specversion: '1.0',
    id: event.id,
    source: event.backend_id === null ? '/tenant' : `/federation/backends/${event.backend_id}`,
    subject: event.backend_id === null ? 'tenant' : String(event.data.backend),
    type: event.type,
    time: event.occurred_at.toISOString(),
    datacontenttype: 'application/json',
    tenantid: event.tenant_id,
    sequence: String(event.seq),
    data: event.data,
  };
}

export const eventQuery = z.strictObject({
  limit,
  after: z
    .union([z.literal('now'), z.coerce.number().int().nonnegative()], 'must be a position or "now"')
    .default(0)
    .describe('The position after which to read: the `next` of the answer before, or `now` for what is to come.'),
});
export const eventPage = z.object({
  items: z.array(cloudEvent),
  next: count.describe('Give it as after to read on.'),
});
export type EventPage = z.output<typeof eventPage>;
