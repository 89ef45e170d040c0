import type { EventType } from '@keyferry/core';
import { sql } from 'kysely';
import type { Store, Tx } from './database.ts';

export interface NewEvent {
  type: EventType;
  data: Record<string, unknown>;
}

export interface StoredEvent {
  id: string;
  /** Order within the tenant, for reading on from a place. */
  position: number;
  tenant_id: string;
  /** Null where it is told of the tenant. */
  backend_id: string | null;
  seq: number;
  type: EventType;
  data: Record<string, unknown>;
  occurred_at: Date;
}

const columns = ['id', 'position', 'tenant_id', 'backend_id', 'seq', 'type', 'data', 'occurred_at'] as const;

/**
 * Writes events in the transaction of the change they tell of, numbered in the order in which such transactions commit:
 * the backend's row stays locked until then. Call it after the keys are written and before the cycle's row is touched.
 */
export async function appendEvents(tx: Tx, backendId: string, events: readonly NewEvent[], now: Date): Promise<void> {
  if (events.length === 0) return;
  // The lock: one writer of a tenant's events at a time, until it commits, so that a reader who goes on from a position
  // misses none. It is had before the first position is given.
  const { numAffectedRows } = await sql`
    WITH numbered AS (UPDATE backends SET event_seq = event_seq + ${events.length} WHERE id = ${backendId}
        RETURNING id, tenant_id, event_seq),
      alone AS MATERIALIZED (SELECT id, tenant_id, event_seq,
        pg_advisory_xact_lock(hashtextextended('events:' || tenant_id, 0)) FROM numbered)
    INSERT INTO outbox (tenant_id, backend_id, seq, type, data, occurred_at)
    SELECT alone.tenant_id, alone.id, alone.event_seq - ${events.length} + e.place, e.type, e.data, ${now}::timestamptz
    FROM alone, unnest(${events.map(({ type }) => type)}::text[], ${events.map(({ data }) => JSON.stringify(data))}::jsonb[])
      WITH ORDINALITY AS e (type, data, place) ORDER BY e.place`.execute(tx);
  if (Number(numAffectedRows) !== events.length)
    throw new Error('Events were written for a backend that is not there.');
}

/** The same for what is a tenant's, and none of its backends': numbered by the tenant. */
export async function appendTenantEvents(
  tx: Tx,
  tenantId: string,
  events: readonly NewEvent[],
  now: Date,
): Promise<void> {
  if (events.length === 0) return;
  await sql`
    WITH numbered AS (INSERT INTO tenant_events AS t (tenant_id, event_seq) VALUES (${tenantId}, ${events.length})
        ON CONFLICT (tenant_id) DO UPDATE SET event_seq = t.event_seq + ${events.length} RETURNING tenant_id, event_seq),
      alone AS MATERIALIZED (SELECT tenant_id, event_seq,
        pg_advisory_xact_lock(hashtextextended('events:' || tenant_id, 0)) FROM numbered)
    INSERT INTO outbox (tenant_id, seq, type, data, occurred_at)
    SELECT alone.tenant_id, alone.event_seq - ${events.length} + e.place, e.type, e.data, ${now}::timestamptz
    FROM alone, unnest(${events.map(({ type }) => type)}::text[], ${events.map(({ data }) => JSON.stringify(data))}::jsonb[])
      WITH ORDINALITY AS e (type, data, place) ORDER BY e.place`.execute(tx);
}

/** Whose events are in an order of their own: a backend's, or where that is null those of the tenant. */
export interface EventSource {
  tenant_id: string;
  backend_id: string | null;
}

export async function sourcesWithUndeliveredEvents(store: Store): Promise<EventSource[]> {
  const { rows } = await sql<EventSource>`
    SELECT * FROM keyferry.backends_with_undelivered_events()`.execute(store.global);
  return rows;
}

/**
 * Hands a source's next undelivered events to `deliver`, in order, and marks them once it has resolved. One relay at a
 * time for a source: a second one gets nothing. Returns how many were delivered.
 */
export async function relayEvents(
  store: Store,
  source: EventSource,
  limit: number,
  now: () => Date,
  deliver: (events: StoredEvent[]) => Promise<void>,
): Promise<number> {
  return await store.inTenant(source.tenant_id, async (tx) => {
    const lock = await sql<{ locked: boolean }>`
      SELECT pg_try_advisory_xact_lock(hashtextextended(${`relay:${source.backend_id ?? source.tenant_id}`}, 0)) AS locked`.execute(
      tx,
    );
    if (!lock.rows[0]?.locked) return 0;
    const events = await tx
      .selectFrom('outbox')
      .select(columns)
      .where('backend_id', 'is not distinct from', source.backend_id)
      .where('delivered_at', 'is', null)
      .orderBy('seq')
      .limit(limit)
      .execute();
    if (events.length === 0) return 0;
    await deliver(events as StoredEvent[]);
    await tx
      .updateTable('outbox')
      .set({ delivered_at: now() })
      .where('backend_id', 'is not distinct from', source.backend_id)
      .where('delivered_at', 'is', null)
      .where('seq', '<=', events[events.length - 1]?.seq ?? 0)
      .execute();
    return events.length;
  });
}

/** Makes events that happened and were delivered after `since` undelivered again: old ones are not repeated for ever. */
export async function redeliverEvents(tx: Tx, since: Date): Promise<void> {
  await tx
    .updateTable('outbox')
    .set({ delivered_at: null })
    .where('delivered_at', '>', since)
    .where('occurred_at', '>', since)
    .execute();
}

/** Events after a position, oldest first. */
export async function listEvents(tx: Tx, after: number, limit: number): Promise<StoredEvent[]> {
  const rows = await tx
    .selectFrom('outbox')
    .select(columns)
    .where('position', '>', after)
    .orderBy('position')
    .limit(limit)
    .execute();
  return rows as StoredEvent[];
}

export async function lastEventPosition(tx: Tx): Promise<number> {
  const row = await tx
    .selectFrom('outbox')
    .select((eb) => eb.fn.max('position').as('position'))
    .executeTakeFirst();
  return Number(row?.position ?? 0);
}

/** Removes what was delivered before `before` and was matched with the rules of notifications. Returns how many. */
export async function pruneEvents(tx: Tx, before: Date): Promise<number> {
  const result = await tx
    .deleteFrom('outbox')
    .where('delivered_at', '<', before)
    .where('position', '<=', (eb) => eb.selectFrom('notification_cursors').select('position'))
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
