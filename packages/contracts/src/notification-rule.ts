import { eventTypes, notificationStates, parseGlob, severities } from '@keyferry/core';
import { z } from 'zod';
import { backendName, timestamp } from './fields.ts';
import { parsedBy } from './refusal.ts';

/** Which events are told on which channel. */

const fields = {
  name: backendName.describe('Unique among the rules.'),
  channel: z.string().min(1).max(64).describe('Id or name.'),
  event_types: z.array(z.enum(eventTypes)).max(eventTypes.length).describe('None means all.'),
  backends: z.array(z.string().min(1).max(64)).max(100).describe('Ids or names; none means all.'),
  paths: z
    .array(z.string().superRefine(parsedBy(parseGlob)))
    .max(50)
    .describe('Globs of local paths; none means all. With them, only events that name such paths are told.'),
  min_severity: z.enum(severities).describe('The least severity that is told.'),
  state: z.enum(notificationStates).describe('What happens while it is paused is not told.'),
};

export const ruleInput = z
  .strictObject({
    ...fields,
    event_types: fields.event_types.default([]),
    backends: fields.backends.default([]),
    paths: fields.paths.default([]),
    min_severity: fields.min_severity.default('info'),
    state: fields.state.default('active'),
  })
  .meta({ id: 'NewRule' });

export const rulePatch = z
  .strictObject(fields)
  .exactPartial()
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one setting')
  .meta({ id: 'RulePatch' });
export type RulePatch = z.output<typeof rulePatch>;

export const ruleAnswer = z
  .object({
    id: z.uuid(),
    name: z.string(),
    channel_id: z.uuid(),
    channel: z.string().describe('The channel’s name.'),
    event_types: z.array(z.string()),
    backend_ids: z.array(z.uuid()),
    backends: z.array(z.string()).describe('The backends’ names.'),
    paths: z.array(z.string()),
    min_severity: z.enum(severities),
    state: z.enum(notificationStates),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Rule' });
export type RuleAnswer = z.output<typeof ruleAnswer>;

export const ruleList = z.object({ items: z.array(ruleAnswer) });
export type RuleList = z.output<typeof ruleList>;
