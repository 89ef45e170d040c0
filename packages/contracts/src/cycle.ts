import { cycleTriggers, outcomes, sideCounts, stages } from '@keyferry/core';
import { z } from 'zod';
import { count, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';

export const cycleStates = ['open', 'completed', 'failed'] as const;
export const cycleScopes = ['full', 'narrowed'] as const;

export const cycleCounts = z
  .record(z.enum(['discovered', ...outcomes, ...sideCounts]), count)
  .describe(`discovered = ${outcomes.join(' + ')}; the others are counted beside it.`);

export const vaultCalls = z.record(z.string(), count).describe('Calls to the vault by operation.');

/** Why a cycle failed. */
export const cycleError = z.object({ class: z.string().nullable(), code: z.string(), message: z.string() });

/** One run of the pipeline for one backend. */
export const cycleAnswer = z
  .object({
    id: z.uuid(),
    backend_id: z.uuid(),
    backend: z.string().describe('The backend’s name.'),
    scope: z.enum(cycleScopes),
    trigger: z.enum(cycleTriggers),
    requested_by: z.string().nullable(),
    replay_of: z.uuid().nullable(),
    state: z.enum(cycleStates),
    stage: z.enum(stages),
    shards: z.object({ total: count, left: count }).describe('Progress of the sync stage.'),
    counts: cycleCounts,
    issues: count.describe('Secrets that need a person’s eye.'),
    vault_calls: vaultCalls,
    error: cycleError.nullable(),
    opened_at: timestamp,
    closed_at: timestamp.nullable(),
    duration_ms: count.nullable(),
  })
  .meta({ id: 'Cycle' });
export type CycleAnswer = z.output<typeof cycleAnswer>;

export const cycleQuery = z.strictObject({ ...pageQuery, state: z.enum(cycleStates).optional() });
export const cyclePage = pageOf(cycleAnswer);
export type CyclePage = z.output<typeof cyclePage>;

/** A secret that failed, was skipped or is in conflict, and why. */
export const issueAnswer = z
  .object({
    remote_path: z.string(),
    outcome: z.string(),
    code: z.string(),
    class: z.string().nullable(),
    message: z.string(),
  })
  .meta({ id: 'Issue' });
export type IssueAnswer = z.output<typeof issueAnswer>;

export const issueQuery = z.strictObject(pageQuery);
export const issuePage = pageOf(issueAnswer);
export type IssuePage = z.output<typeof issuePage>;
