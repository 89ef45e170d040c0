import { formatDuration, KeyferryError, type LifecycleRule, parseDuration } from '@keyferry/core';
import { z } from 'zod';
import { durationBetween, ruleGlobs } from './fields.ts';
import { parsedBy } from './refusal.ts';

/** When what happens to a key: the fields of a backend that say so. Durations are texts, such as 24h. */

const longest = '3650d';

export const gracePeriod = durationBetween('1s', longest).describe('From deprecated to archived.');
export const retainArchived = durationBetween('1s', longest).describe('From archived or expired to purged.');
export const rotationOverlap = z
  .union([z.literal('0s'), durationBetween('1s', longest)])
  .describe('How long the version before may still be read by its number; 0s for not at all.');
const rotateEvery = durationBetween('1m', longest).describe('A value older than this is reported as overdue.');

const mostMarks = 10;

/** Durations before something happens, without repetition. */
export function reminders(what: string) {
  return z
    .array(durationBetween('1m', longest))
    .max(mostMarks)
    .superRefine(
      parsedBy((marks: string[]) => {
        if (new Set(marks.map(secondsOf)).size < marks.length)
          throw new KeyferryError('config_invalid', 'a reminder is named twice.');
      }),
    )
    .describe(`So long before ${what} people are told; of these, those that fit.`);
}

function secondsOf(text: string): number | string {
  try {
    return parseDuration(text);
  } catch {
    return text;
  }
}

const lifecycleRule = z
  .strictObject({
    paths: ruleGlobs,
    grace_period: gracePeriod.exactOptional(),
    retain_archived: retainArchived.exactOptional(),
    rotation_overlap: rotationOverlap.exactOptional(),
    rotate_every: rotateEvery.exactOptional(),
  })
  .refine(
    ({ paths: _, ...periods }) => Object.keys(periods).length > 0,
    'must name a period: grace_period, retain_archived, rotation_overlap or rotate_every',
  );
export type LifecycleRuleText = z.output<typeof lifecycleRule>;

/** All of them are tried on each key there is, one after another. */
const mostGlobs = 500;

export const lifecycleRules = z
  .array(lifecycleRule)
  .max(200)
  .refine(
    (rules) => rules.reduce((sum, { paths }) => sum + paths.length, 0) <= mostGlobs,
    `must have at most ${mostGlobs} globs together`,
  )
  .describe('What differs by path. For each period the first rule that matches and names it wins.');

/** As they are stored: in seconds. */
export function storedLifecycleRule({ paths, ...periods }: LifecycleRuleText): LifecycleRule {
  return {
    paths,
    ...Object.fromEntries(Object.entries(periods).map(([name, text]) => [`${name}_seconds`, seconds(text)])),
  };
}

/** Seconds of a duration that may be nothing at all. */
export const seconds = (text: string): number => (text === '0s' ? 0 : parseDuration(text));

/** As people write them. */
export function shownLifecycleRule({ paths, ...periods }: LifecycleRule): LifecycleRuleText {
  const texts = Object.entries(periods).map(([name, value]) => [name.replace(/_seconds$/, ''), formatDuration(value)]);
  return { paths, ...Object.fromEntries(texts) };
}
