import { cycleTriggers, maxPathsPerEvent } from '@keyferry/core';
import { z } from 'zod';
import { cycleCounts, cycleError, cycleScopes, vaultCalls } from './cycle.ts';
import { count, timestamp } from './fields.ts';

/** What each type of event carries as `data`. Never a secret value. */

const about = { backend_id: z.uuid(), backend: z.string(), kind: z.string() };

export const cycleEventData = z.object({
  ...about,
  cycle_id: z.uuid(),
  scope: z.enum(cycleScopes),
  trigger: z.enum(cycleTriggers),
  replay_of: z.uuid().nullable(),
  opened_at: timestamp,
  closed_at: timestamp,
  duration_ms: count,
  counts: cycleCounts,
  issues: count,
  vault_calls: vaultCalls,
  error: cycleError.optional().describe('In federation.sync.failed.'),
});
export type CycleEventData = z.output<typeof cycleEventData>;

export const unreachableEventData = z.object({
  ...about,
  failures: count.describe('Failed cycles in a row.'),
  code: z.string(),
  message: z.string(),
});

export const recoveredEventData = z.object({ ...about, unreachable_since: timestamp });

export const keysEventData = z.object({
  ...about,
  cycle_id: z.uuid().nullable().describe('Null where time or a person did it.'),
  paths: z.array(z.string()).max(maxPathsPerEvent).describe('Local paths.'),
});
export type KeysEventData = z.output<typeof keysEventData>;

export const heldEventData = z.object({
  ...about,
  cycle_id: z.uuid(),
  hold_id: z.uuid(),
  candidates: count,
  keys: count,
});
