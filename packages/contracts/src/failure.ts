import { stages } from '@keyferry/core';
import { z } from 'zod';
import { cycleAnswer } from './cycle.ts';
import { count, timestamp } from './fields.ts';
import { limit } from './page.ts';

/** A stage or shard that failed. */
export const failureAnswer = z
  .object({
    id: z.uuid(),
    backend_id: z.uuid(),
    backend: z.string().describe('The backend’s name.'),
    cycle_id: z.uuid(),
    stage: z.enum(stages),
    shard: count.nullable().describe('Null for a stage without shards.'),
    state: z
      .enum(['retrying', 'failed', 'replayed', 'resolved'])
      .describe('retrying: tried again by itself; failed: gave up and can be replayed.'),
    class: z.string().nullable(),
    code: z.string(),
    message: z.string(),
    attempts: count,
    first_failed_at: timestamp,
    last_failed_at: timestamp,
  })
  .meta({ id: 'Failure' });
export type FailureAnswer = z.output<typeof failureAnswer>;

export const failureQuery = z.strictObject({ limit, backend: z.string().optional().describe('Id or name.') });
export const failureList = z.object({ items: z.array(failureAnswer) });
export type FailureList = z.output<typeof failureList>;

export const failureReplayed = z.object({
  cycle: cycleAnswer,
  resumed: z.boolean().describe('The failed cycle goes on; otherwise a new one was opened with replay_of.'),
});
export type FailureReplayed = z.output<typeof failureReplayed>;
