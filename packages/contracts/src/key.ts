import { keyStates, keyTypes } from '@keyferry/core';
import { z } from 'zod';
import { count, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';

/** What validation says of the secret as the vault has it now, which is not what is served where it was refused. */
const keyValidation = z.object({
  status: z
    .enum(['valid', 'warned', 'invalid'])
    .describe('invalid: the vault’s value was refused, and what was served before still is.'),
  problems: z.array(z.object({ code: z.string(), message: z.string() })),
  since: timestamp.nullable(),
});

/** A key’s record. Its value is never part of it. */
export const keyAnswer = z
  .object({
    id: z.uuid(),
    path: z.string().describe('The local path.'),
    remote_path: z.string(),
    backend_id: z.uuid(),
    backend: z.string().describe('The backend’s name.'),
    type: z.enum(keyTypes),
    state: z.enum(keyStates),
    revoked: z.boolean(),
    version: count,
    content_type: z.string(),
    metadata: z.record(z.string(), z.string()).describe('The vault’s tags, labels or custom metadata.'),
    remote_version: z.string().nullable(),
    expires_at: timestamp.nullable(),
    deprecated_at: timestamp.nullable(),
    archive_at: timestamp.nullable().describe('When it is archived, if the vault still lacks it then.'),
    purge_at: timestamp.nullable().describe('When its values are removed, unless it comes back before.'),
    rotation_due_at: timestamp.nullable().describe('By when it is to have another value.'),
    missing_since: timestamp.nullable().describe('Since when the vault lacks it, while auto_deprecate is off.'),
    kept: z.boolean().describe('Whether a person’s word keeps it, though the vault lacks it.'),
    rolled_back: z.boolean().describe('Whether an earlier value is served, until the vault has another.'),
    validation: keyValidation,
    state_changed_at: timestamp,
    last_seen_at: timestamp,
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Key' });
export type KeyAnswer = z.output<typeof keyAnswer>;

/** One key, with what depends on it. */
export const keyDetails = keyAnswer
  .extend({ credentials_of: z.array(z.string()).describe('Names of backends whose credentials are in this key.') })
  .meta({ id: 'KeyDetails' });
export type KeyDetails = z.output<typeof keyDetails>;

const flag = z.enum(['true', 'false']).default('false');

export const keyQuery = z.strictObject({
  ...pageQuery,
  state: z.enum(keyStates).optional(),
  backend: z.string().optional().describe('Id or name.'),
  prefix: z.string().optional().describe('Leading text of the local path.'),
  problems: flag.describe('Only keys with which validation finds something wrong.'),
  overdue: flag.describe('Only keys that should have been rotated by now.'),
});
export const keyPage = pageOf(keyAnswer);
export type KeyPage = z.output<typeof keyPage>;
