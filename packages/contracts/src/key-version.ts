import { z } from 'zod';
import { count, reason, timestamp } from './fields.ts';

/** The values a key has had, by number. None of them is ever part of an answer here. */
export const keyVersions = z
  .object({
    id: z.uuid(),
    path: z.string(),
    current: count.describe('The number of the version that is served.'),
    rolled_back: z.boolean(),
    items: z
      .array(
        z.object({
          version: count,
          current: z.boolean(),
          source: z
            .enum(['vault', 'local', 'rollback', 'backup'])
            .describe('A vault, a write here, an earlier version, or a backup.'),
          content_type: z.string(),
          remote_version: z.string().nullable(),
          remote_created_at: timestamp.nullable().describe('When the vault made it.'),
          created_at: timestamp.describe('When it came here.'),
          readable_until: timestamp.nullable().describe('Until when it may be read by its number, once replaced.'),
        }),
      )
      .describe('The newest first.'),
  })
  .meta({ id: 'KeyVersions' });
export type KeyVersions = z.output<typeof keyVersions>;

export const rollbackRequest = z.strictObject({
  to: z
    .number('must be the number of a version')
    .int('must be the number of a version')
    .min(1, 'must be the number of a version')
    .max(2_147_483_647, 'must be the number of a version')
    .describe('The version whose value is to be served again.'),
  reason: reason.optional(),
});

export const rolledBackAnswer = z
  .object({
    path: z.string(),
    from_version: count.describe('What was served before.'),
    to_version: count.describe('The version whose value is served now.'),
    version: count.describe('The number it is served under.'),
  })
  .meta({ id: 'RolledBack' });
export type RolledBackAnswer = z.output<typeof rolledBackAnswer>;
