import { z } from 'zod';
import { count, reason } from './fields.ts';

/** Keys taken out of use by hand, and let back. */

const mostSelectors = 200;

const selection = z
  .array(z.string().max(1024))
  .min(1, 'must name at least one path')
  .max(mostSelectors, `must have at most ${mostSelectors} members`)
  .describe('Local paths, and globs of local paths. Each has to have, or match, a key.');

const exact = z.boolean().default(false).describe('That they are paths alone, though they have signs of globs.');

const chosen = { paths: selection, exact, reason };

export const revokeRequest = z.strictObject({
  ...chosen,
  dry_run: z.boolean().default(false).describe('Tell what would be revoked, and do nothing.'),
  all: z.boolean().default(false).describe('Needed where globs match every key that is served.'),
});

export const revokedAnswer = z
  .object({
    dry_run: z.boolean(),
    count: count.describe('How many keys are revoked by this.'),
    already_revoked: count,
    everything: z.boolean().describe('Whether globs match every key that is served, and there are two or more.'),
    paths: z.array(z.string()).describe('Some of the local paths.'),
    credentials_of: z.array(z.string()).describe('Names of backends whose credentials are in these keys.'),
  })
  .meta({ id: 'Revoked' });
export type RevokedAnswer = z.output<typeof revokedAnswer>;

export const unrevokeRequest = z.strictObject(chosen);

export const unrevokedAnswer = z
  .object({ count, paths: z.array(z.string()).describe('Some of the local paths.') })
  .meta({ id: 'Unrevoked' });
export type UnrevokedAnswer = z.output<typeof unrevokedAnswer>;
