import { accessModes, type CacheRule, conflictPolicies, formatDuration, writeModes } from '@keyferry/core';
import { z } from 'zod';
import { durationBetween, ruleGlobs } from './fields.ts';
import { seconds } from './lifecycle.ts';

/** How a backend's secrets are read and written through Keyferry. */

export const accessMode = z.enum(accessModes).describe('Whether Keyferry may write to the vault.');

/** `true` is another word for write_through. */
export const writes = z
  .union([z.enum(writeModes), z.literal(true).transform(() => 'write_through' as const)])
  .describe(
    'Of values given to Keyferry: disabled refuses them, local stores them here alone, write_through in the vault first.',
  );

export const conflictPolicy = z
  .enum(conflictPolicies)
  .describe('Where a secret was changed in the vault and here: who wins, or that a person decides.');

export const required = z.boolean().describe('The API does not start while this vault can’t be reached.');

const longest = '30d';
const time = z.union([z.literal('0s'), durationBetween('1s', longest)]);
export const cacheTtl = time.describe('How long a proxied value may be answered again; 0s asks the vault each time.');
export const maxStale = time.describe(
  'How long the last value may be answered, marked as stale, while the vault is away.',
);

const cacheRule = z
  .strictObject({
    paths: ruleGlobs,
    ttl: cacheTtl.exactOptional(),
    max_stale: maxStale.exactOptional(),
  })
  .refine(({ ttl, max_stale }) => ttl !== undefined || max_stale !== undefined, 'must name ttl or max_stale');
export type CacheRuleText = z.output<typeof cacheRule>;

export const cacheRules = z
  .array(cacheRule)
  .max(200)
  .describe('What differs by path. For each of the two the first rule that matches and names it wins.');

export function storedCacheRule({ paths, ttl, max_stale }: CacheRuleText): CacheRule {
  return {
    paths,
    ...(ttl !== undefined && { ttl_seconds: seconds(ttl) }),
    ...(max_stale !== undefined && { max_stale_seconds: seconds(max_stale) }),
  };
}

export function shownCacheRule({ paths, ttl_seconds, max_stale_seconds }: CacheRule): CacheRuleText {
  return {
    paths,
    ...(ttl_seconds !== undefined && { ttl: formatDuration(ttl_seconds) }),
    ...(max_stale_seconds !== undefined && { max_stale: formatDuration(max_stale_seconds) }),
  };
}
