import { cycleTriggers, keyStates } from '@keyferry/core';
import { z } from 'zod';
import { count, timestamp } from './fields.ts';
import { keyDetails } from './key.ts';

const toldCycle = z
  .object({
    id: z.uuid(),
    trigger: z.enum(cycleTriggers).nullable().describe('Null where the cycle is no longer kept.'),
  })
  .nullable();

/** Most changes that an explanation tells. */
export const mostChanges = 200;

/** Why a key is as it is. */
export const explanation = z
  .object({
    id: z.uuid(),
    path: z.string(),
    state: z.enum([...keyStates, 'purged']),
    sentences: z.array(z.string()).describe('For people: what is, why, and what comes next.'),
    key: keyDetails.nullable().describe('Its record; null once it is purged.'),
    created: z.object({ at: timestamp, cycle: toldCycle }).nullable().describe('When it was first carried.'),
    story: z
      .array(
        z.object({
          at: timestamp,
          change: z.string().describe('What happened, such as rotated, deprecated or revoked.'),
          from: z.enum(keyStates).nullable(),
          to: z.enum(keyStates).nullable(),
          version: count.nullable(),
          cycle: toldCycle.describe('The cycle that did it; null where time or a person did.'),
          actor: z.string().nullable(),
          reason: z.string().nullable(),
        }),
      )
      .describe(`What happened to it, the newest first, at most ${mostChanges}.`),
    hold: z
      .object({ id: z.uuid(), decided_by: z.string().nullable(), decided_at: timestamp.nullable() })
      .nullable()
      .describe('The hold whose approval let it go.'),
    rules: z
      .object({
        validation: count.nullable().describe('Place of the rule of validation_rules that judges its values.'),
        lifecycle: z.array(count).describe('Places of the lifecycle_rules that it matches.'),
      })
      .nullable(),
  })
  .meta({ id: 'Explanation' });
export type Explanation = z.output<typeof explanation>;
