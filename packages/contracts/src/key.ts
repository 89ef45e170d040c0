import { keyStates, keyTypes } from '@keyferry/core';
import { z } from 'zod';
import { count, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';

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

export const keyQuery = z.strictObject({
  ...pageQuery,
  state: z.enum(keyStates).optional(),
  backend: z.string().optional().describe('Id or name.'),
  prefix: z.string().optional().describe('Leading text of the local path.'),
});
export const keyPage = pageOf(keyAnswer);
export type KeyPage = z.output<typeof keyPage>;
