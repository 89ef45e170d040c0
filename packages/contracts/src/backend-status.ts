import { keyStates } from '@keyferry/core';
import { z } from 'zod';
import { count, timestamp } from './fields.ts';

export const backendStatusNames = ['healthy', 'degraded', 'unreachable', 'never_synced', 'paused'] as const;

/** How a backend is doing. */
export const backendStatus = z
  .object({
    id: z.uuid(),
    name: z.string(),
    state: z.enum(['active', 'paused']),
    status: z
      .enum(backendStatusNames)
      .describe('degraded: the last cycle failed or has issues, or keys are held back and wait for a person.'),
    last_sync: timestamp.nullable().describe('When the last completed cycle ended.'),
    last_sync_duration_ms: count.nullable(),
    next_sync: timestamp.nullable().describe('Null while paused.'),
    keys: z.record(z.enum(keyStates), count),
    secrets_synced: count.describe('Keys that are served: active and deprecated ones.'),
    connection: z.object({
      status: z.enum(['connected', 'disconnected', 'unknown']),
      latency_ms: count.nullable(),
      server: z.string().nullable().describe('Product and version, where the vault tells them.'),
      unreachable_since: timestamp.nullable(),
    }),
    last_error: z
      .object({
        cycle_id: z.uuid(),
        class: z.string().nullable(),
        code: z.string(),
        message: z.string(),
        at: timestamp,
      })
      .nullable()
      .describe('Why the newest cycle failed; null once one has completed.'),
    open_hold: z
      .object({ id: z.uuid(), candidates: count, keys: count, opened_at: timestamp })
      .nullable()
      .describe('Keys that would go and wait for a person’s word.'),
  })
  .meta({ id: 'BackendStatus' });
export type BackendStatus = z.output<typeof backendStatus>;

/** What a vault said when it was asked just now. */
export const backendTest = z
  .object({
    container: z.enum(['present', 'unproven']).describe('Whether the mount, project or vault was seen to exist.'),
    container_id: z.string().nullable().describe('What the vault itself calls it, where it says so.'),
    server: z.string().nullable(),
    latency_ms: z.number().nonnegative(),
    credentials_refused: z
      .string()
      .nullable()
      .describe('Why new credentials are not used, where the former ones still are.'),
  })
  .meta({ id: 'BackendTest' });
export type BackendTest = z.output<typeof backendTest>;
