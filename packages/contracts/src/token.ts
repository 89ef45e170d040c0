import { z } from 'zod';
import { backendName, durationBetween, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';

/** Bearer tokens of identities. */

const name = backendName.describe('To tell the identity’s tokens apart.');

export const tokenInput = z
  .strictObject({
    name: name.default('token'),
    expires_in: durationBetween('1m', '3650d')
      .nullable()
      .default(null)
      .describe('How long it is valid; null for as long as it is not revoked.'),
  })
  .meta({ id: 'NewToken' });

const tokenStates = ['active', 'expired', 'revoked'] as const;

export const tokenAnswer = z
  .object({
    id: z.uuid(),
    identity_id: z.uuid(),
    name: z.string(),
    shown: z.string().describe('Its first characters.'),
    state: z.enum(tokenStates),
    created_by: z.string(),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    revoked_at: timestamp.nullable(),
    last_used_at: timestamp.nullable().describe('To the minute or so.'),
  })
  .meta({ id: 'Token' });
export type TokenAnswer = z.output<typeof tokenAnswer>;

export const tokenMade = tokenAnswer
  .extend({ token: z.string().describe('Shown this once: Keyferry keeps no more than its SHA-256.') })
  .meta({ id: 'TokenMade' });
export type TokenMade = z.output<typeof tokenMade>;

export const tokenQuery = z.strictObject(pageQuery);
export const tokenPage = pageOf(tokenAnswer);
