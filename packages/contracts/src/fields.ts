import {
  federationModes,
  isObject,
  KeyferryError,
  parseDuration,
  parseGlob,
  parseMapping,
  parseSyncPath,
  pathProblem,
} from '@keyferry/core';
import { z } from 'zod';
import { parsedBy } from './refusal.ts';

/** Fields that several requests and answers have. */

export const timestamp = z.iso.datetime().describe('Time in UTC, as ISO 8601.');

/** A time that somebody gives, with its zone. */
export const givenTime = z.iso.datetime({ offset: true, error: 'must be a time such as 2030-01-31T12:00:00Z' });

export const count = z.number().int().nonnegative();

const durationText = z.string('must be a duration such as 300s').superRefine(parsedBy(parseDuration));

/** A duration as text, between two others, both included. */
export function durationBetween(least: string, most: string) {
  return durationText
    .superRefine(
      parsedBy((text) => {
        // What is no duration at all has its issue already.
        const seconds = secondsOf(text);
        if (seconds !== null && (seconds < parseDuration(least) || seconds > parseDuration(most)))
          throw new KeyferryError('config_invalid', `"${text}" is not between ${least} and ${most}.`);
      }),
    )
    .meta({
      description: `A whole number and a unit (s, m, h, d), from ${least} to ${most}.`,
      examples: ['300s', '24h'],
    });
}

function secondsOf(text: string): number | null {
  try {
    return parseDuration(text);
  } catch {
    return null;
  }
}

/** Why a person does something: shown to others, and kept. */
export const reason = z
  .string('must say why')
  .trim()
  .min(1, 'must say why')
  .max(500, 'must have at most 500 characters')
  .regex(/^\P{Cc}*$/u, 'must have no control characters')
  .describe('Why, in up to 500 characters. It is kept in the audit log and told in the event.');

const mostGlobs = 200;

/** What a rule is for. */
export const ruleGlobs = z
  .array(z.string().superRefine(parsedBy(parseGlob)))
  .min(1, 'must name at least one path')
  .max(mostGlobs)
  .describe('Globs of local paths.');

export const syncPaths = z
  .array(z.string().superRefine(parsedBy(parseSyncPath)))
  .min(1, 'must name at least one path')
  .max(mostGlobs)
  .describe('Globs of remote paths that are federated. A trailing `/*` means everything below.');

export const excludePaths = z
  .array(z.string().superRefine(parsedBy(parseGlob)))
  .max(mostGlobs)
  .describe('Globs of remote paths that are left out, though sync_paths include them.');

export const federationMode = z
  .enum(federationModes)
  .describe('sync: answered from the store; proxy: read through to the vault each time, and nothing is stored.');

const mappingRule = z
  .strictObject({
    from: z.string().describe('Glob of local paths.'),
    to: z.string().describe('Glob of remote paths, with the same wildcards in the same order.'),
    mode: federationMode.exactOptional().describe('Of what it maps; left out, that of the backend.'),
  })
  .superRefine(parsedBy((rule) => parseMapping([rule])));

/** Rules by their local patterns, in the order of the members. */
const asRules = (given: unknown): unknown =>
  isObject(given) ? Object.entries(given).map(([from, to]) => ({ from, to })) : given;

export const pathMapping = z
  .preprocess(asRules, z.array(mappingRule).max(mostGlobs))
  .describe(
    'Ordered rules between local and remote paths; the first that matches wins. An object of local and remote patterns says the same.',
  );

export const prefix = z
  .string()
  .refine((path) => pathProblem(path) === null && !/[*?]/.test(path), 'must be a path without wildcards')
  .superRefine(parsedBy((path) => parseSyncPath(`${path}/*`)))
  .describe('The folder that sync_paths start from where they are not given.');

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const backendName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
  .refine((name) => !uuid.test(name), 'must not look like an id')
  .describe('Unique among the backends.');
