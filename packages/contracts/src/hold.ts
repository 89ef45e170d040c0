import { z } from 'zod';
import { cycleAnswer } from './cycle.ts';
import { count, timestamp } from './fields.ts';
import { limit } from './page.ts';

export const holdStates = ['open', 'approved', 'rejected', 'ended'] as const;

/** Keys that a cycle did not remove because they are too many. */
export const holdAnswer = z
  .object({
    id: z.uuid(),
    backend_id: z.uuid(),
    backend: z.string().describe('The backend’s name.'),
    cycle_id: z.uuid().describe('The cycle that last found them missing.'),
    state: z.enum(holdStates),
    candidates: count.describe('Keys that would go.'),
    keys: count.describe('Keys the backend had, those of the last 24 hours included.'),
    opened_at: timestamp,
    updated_at: timestamp,
    decided_at: timestamp.nullable(),
    decided_by: z.string().nullable(),
  })
  .meta({ id: 'Hold' });
export type HoldAnswer = z.output<typeof holdAnswer>;

export const holdQuery = z.strictObject({ limit, state: z.enum(holdStates).default('open') });
export const holdList = z.object({ items: z.array(holdAnswer) });
export type HoldList = z.output<typeof holdList>;

/** Most paths that a hold shows. */
export const mostHeldPaths = 1000;

export const holdDetail = holdAnswer
  .extend({ paths: z.array(z.string()).describe(`Local paths of its keys, in order, at most ${mostHeldPaths}.`) })
  .meta({ id: 'HoldDetail' });
export type HoldDetail = z.output<typeof holdDetail>;

/** The hold, and the cycle that proves everything again before any key goes. */
export const holdApproved = z.object({ hold: holdAnswer, cycle: cycleAnswer });
export type HoldApproved = z.output<typeof holdApproved>;
