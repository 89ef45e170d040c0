import { noticeStates, severities } from '@keyferry/core';
import { z } from 'zod';
import { count, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';

/** What was told, or is to be. */

/** What a message tells; the same as `data` of a webhook. Never a value. */
export const noticeData = z
  .object({
    severity: z.enum(severities).describe('The highest one of its events.'),
    backend_id: z.uuid().nullable().describe('Null where it tells of the tenant.'),
    backend: z.string().describe('The backend’s name.'),
    cycle_id: z.uuid().nullable().describe('Null where time or a person did it.'),
    first_at: timestamp,
    last_at: timestamp,
    hold_ids: z.array(z.uuid()).describe('Holds that wait for a person’s word.'),
    events: z.array(
      z.object({
        type: z.string(),
        severity: z.enum(severities),
        events: count.describe('How many events.'),
        keys: count.describe('How many keys they name.'),
        paths: z.array(z.string()).describe('Local paths of some of them, at most 20.'),
        notes: z.array(z.string()).describe('What else is to be said, at most 5 sentences.'),
      }),
    ),
  })
  .meta({ id: 'Notice' });

export const deliveryAnswer = z
  .object({
    id: z.uuid().describe('Stays the same however often it is sent.'),
    state: z
      .enum(noticeStates)
      .describe('collecting: more may come; pending: sent by itself; failed: given up, and can be replayed.'),
    rule_id: z.uuid(),
    rule: z.string().describe('The rule’s name at that time.'),
    channel_id: z.uuid(),
    channel: z.string().describe('The channel’s name at that time.'),
    severity: z.enum(severities),
    backend: z.string(),
    cycle_id: z.uuid().nullable(),
    summary: z.string(),
    attempts: count,
    error: z.object({ code: z.string(), message: z.string() }).nullable().describe('Of the last failed attempt.'),
    created_at: timestamp,
    ready_at: timestamp.describe('When it was, or at the latest is, complete.'),
    next_attempt_at: timestamp.nullable(),
    delivered_at: timestamp.nullable(),
  })
  .meta({ id: 'Delivery' });
export type DeliveryAnswer = z.output<typeof deliveryAnswer>;

export const deliveryDetail = deliveryAnswer.extend({ message: noticeData }).meta({ id: 'DeliveryDetail' });
export type DeliveryDetail = z.output<typeof deliveryDetail>;

export const deliveryQuery = z.strictObject({
  ...pageQuery,
  state: z.enum(noticeStates).optional(),
  channel: z.string().optional().describe('Id or name.'),
});
export const deliveryPage = pageOf(deliveryAnswer);

export const deliveryReplay = z.strictObject({
  state: z.literal('failed'),
  channel: z.string().optional().describe('Id or name; all channels where it is left out.'),
});
export const deliveriesReplayed = z.object({ replayed: count });
export type DeliveriesReplayed = z.output<typeof deliveriesReplayed>;
