import { keyTypes } from '@keyferry/core';
import { z } from 'zod';
import { count, reason, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';

/** A value that was kept aside when its key was deprecated. The value itself is never part of it. */
export const backupAnswer = z
  .object({
    id: z.uuid(),
    key_id: z.uuid(),
    path: z.string().describe('The local path it had then.'),
    remote_path: z.string(),
    backend_id: z.uuid(),
    backend: z.string().describe('The backend’s name.'),
    version: count.describe('The version that was backed up.'),
    type: z.enum(keyTypes),
    content_type: z.string(),
    reason: z.string(),
    created_at: timestamp,
    restored_at: timestamp.nullable(),
    restored_by: z.string().nullable(),
  })
  .meta({ id: 'Backup' });
export type BackupAnswer = z.output<typeof backupAnswer>;

export const backupQuery = z.strictObject({
  ...pageQuery,
  backend: z.string().optional().describe('Id or name.'),
  path: z.string().optional().describe('The local path, whole.'),
});
export const backupPage = pageOf(backupAnswer);
export type BackupPage = z.output<typeof backupPage>;

/** The body may be left out. */
export const restoreRequest = z.strictObject({ reason: reason.optional() }).nullish();

export const restoredAnswer = z
  .object({
    key_id: z.uuid(),
    path: z.string(),
    version: count.describe('The version that is served now.'),
    new_version: z.boolean().describe('Whether the value had changed since, so that it was stored as a new version.'),
  })
  .meta({ id: 'Restored' });
export type RestoredAnswer = z.output<typeof restoredAnswer>;
