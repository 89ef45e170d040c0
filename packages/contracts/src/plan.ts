import { planWords } from '@keyferry/core';
import { z } from 'zod';
import { cycleCounts, vaultCalls } from './cycle.ts';
import { errorAnswer } from './error.ts';
import { count } from './fields.ts';

/** What a cycle would do with one secret or key. Never a value. */
export const planChange = z
  .object({
    change: z.enum(planWords),
    path: z.string().nullable().describe('The local path; null where it can’t be carried, or is not about a key.'),
    remote_path: z.string(),
    reason: z.string().describe('Why, in one sentence.'),
    code: z.string().nullable().describe('Of docs/errors.md, where something is wrong.'),
    class: z.string().nullable().describe('How a call to the vault failed, where one has.'),
    from_version: count.optional().describe('The version that is served now, where the value changes.'),
    to_version: count.optional().describe('The version that would be served.'),
    new_path: z.string().optional().describe('The local path that a key would have.'),
  })
  .meta({ id: 'PlanChange' });
export type PlanChangeAnswer = z.output<typeof planChange>;

const planSummary = z.object({
  backend: z.string(),
  counts: cycleCounts,
  issues: count,
  would_hold: z.boolean().describe('Whether the guard would hold keys back.'),
  vault_calls: vaultCalls,
});
export type PlanSummaryAnswer = z.output<typeof planSummary>;

/** The last line of a plan, if it could be made to its end. */
export const planEnd = z.object({ summary: planSummary }).meta({ id: 'PlanEnd' });

/** One line of a plan: changes, then the summary, or the error that ended it. */
export const planLine = z.union([planChange, planEnd, errorAnswer]);
export type PlanLine = PlanChangeAnswer | z.output<typeof planEnd>;
