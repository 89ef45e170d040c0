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

/** Keys events that tell more of each key: `keys` are in the order of `paths`. */
const keysEventWith = <Shape extends z.ZodRawShape>(shape: Shape) =>
  keysEventData.extend({ keys: z.array(z.object({ path: z.string(), ...shape })).max(maxPathsPerEvent) });

/** Who did it, where a person did, and why. */
const byPerson = { actor: z.string(), reason: z.string().nullable() };

/** By whom, where it was written through Keyferry. */
const writer = { actor: z.string().optional() };

export const createdEventData = keysEventData.extend(writer);
export const rotatedEventData = keysEventWith({
  from_version: count.describe('The version that was served before.'),
  to_version: count.describe('The version that is served now.'),
}).extend(writer);
export const rolledBackEventData = rotatedEventData.extend(byPerson);
export const overdueEventData = keysEventWith({ due_at: timestamp.describe('When it should have been rotated.') });
export const remindedEventData = keysEventWith({ at: timestamp.describe('When it happens.') });
export const invalidEventData = keysEventWith({
  code: z.string(),
  message: z.string().describe('Why, without the value.'),
  served_version: count.nullable().describe('What is served on; null where nothing was stored yet.'),
});
export const renamedEventData = keysEventWith({ renamed_from: z.string().describe('The local path before.') });
export const revokedEventData = keysEventData.extend({ ...byPerson, urgent: z.literal(true) });
export const personEventData = keysEventData.extend(byPerson);
/** By being found again, or out of a backup by a person. */
export const restoredEventData = keysEventData.extend({ actor: z.string().optional() });

export const conflictEventData = keysEventWith({
  kind: z.enum(['changed', 'removed']).describe('removed: gone from the vault, and changed here.'),
  remote_version: z.string().nullable(),
});
export const conflictResolvedEventData = keysEventData.extend({
  keep: z.enum(['local', 'remote', 'both']).describe('both: the two sides agree again.'),
  actor: z.string().nullable().describe('Null where nobody had to decide.'),
});
/** By whom, where it was done through Keyferry. */
export const deletedEventData = keysEventData.extend({
  actor: z.string(),
  removed_from: z.enum(['store', 'vault']),
});

export const heldEventData = z.object({
  ...about,
  cycle_id: z.uuid().nullable().describe('Null where a person asked for what it holds.'),
  hold_id: z.uuid(),
  candidates: count,
  keys: count,
});

export const settledEventData = z.object({
  ...about,
  hold_id: z.uuid(),
  state: z.enum(['approved', 'rejected', 'ended']),
  actor: z.string().nullable().describe('Null where what was missing has come back by itself.'),
});

export const anchoredEventData = z.object({
  number: count.describe('How many batches the chain of the tenant’s audit log has had.'),
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('The hash of the last of them.'),
});
