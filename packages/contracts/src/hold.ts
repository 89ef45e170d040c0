import { z } from 'zod';
import { cycleAnswer } from './cycle.ts';
import { count, timestamp } from './fields.ts';
import { limit } from './page.ts';

export const holdStates = ['open', 'approved', 'rejected', 'ended'] as const;

/** Keys that a cycle did not remove or rename, or a backend's that were not archived, because they are too many. */
export const holdAnswer = z
  .object({
    id: z.uuid(),
    backend_id: z.uuid(),
    backend: z.string().describe('The backend’s name.'),
    kind: z.enum(['cycle', 'removal']).describe('What opened it: a cycle, or the wish to remove the backend.'),
    cycle_id: z.uuid().nullable().describe('The cycle that last found them missing.'),
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

/** Most keys that a hold shows. */
export const mostHeldKeys = 1000;

export const holdDetail = holdAnswer
  .extend({
    listed: z
      .array(
        z.object({
          path: z.string(),
          cause: z
            .enum(['absent', 'out_of_scope', 'renamed', 'removal'])
            .describe(
              'Missing from the vault, left out by the settings, to have another name, or of a backend to be removed.',
            ),
        }),
      )
      .describe(`Its keys by local path, in order, at most ${mostHeldKeys}.`),
  })
  .meta({ id: 'HoldDetail' });
export type HoldDetail = z.output<typeof holdDetail>;

/** The hold, and the cycle that proves everything again before any key goes; null where a backend was removed at once. */
export const holdApproved = z.object({ hold: holdAnswer, cycle: cycleAnswer.nullable() });
export type HoldApproved = z.output<typeof holdApproved>;

export const holdRejected = z.object({ hold: holdAnswer });
export type HoldRejected = z.output<typeof holdRejected>;
