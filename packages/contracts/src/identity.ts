import { scopes } from '@keyferry/core';
import { z } from 'zod';
import { backendName, count, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';

/** Who asks, as a tenant knows them. */

/** Actors that are none of the identities: nobody is to be taken for one of them. */
const reserved = ['keyferry', 'api-token', 'revoke-token', 'sweep', 'retention', 'unknown'];

const fields = {
  name: backendName
    .refine((name) => !reserved.includes(name.toLowerCase()), 'must not be one of Keyferry’s own names')
    .describe('Unique among the identities; the audit log names them so.'),
  description: z
    .string()
    .max(500)
    .regex(/^\P{Cc}*$/u, 'must have no control characters')
    .describe('What it is for.'),
  scopes: z
    .array(z.enum(scopes))
    .max(scopes.length)
    .transform((given) => [...new Set(given)])
    .describe('What it may do with the tenant as a whole. Nobody can give a scope that they lack.'),
  operator: z
    .boolean()
    .describe('Whether it may manage tenants; in the default tenant alone, and by an operator alone.'),
  state: z.enum(['active', 'disabled']).describe('The credentials of a disabled identity are nobody’s.'),
};

export const identityInput = z
  .strictObject({
    name: fields.name,
    description: fields.description.default(''),
    scopes: fields.scopes.default([]),
    operator: fields.operator.default(false),
  })
  .meta({ id: 'NewIdentity' });

export const identityPatch = z
  .strictObject({ description: fields.description, scopes: fields.scopes, state: fields.state })
  .exactPartial()
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one setting')
  .meta({ id: 'IdentityPatch' });

export const identityAnswer = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string(),
    scopes: z.array(z.enum(scopes)),
    operator: z.boolean(),
    state: z.enum(['active', 'disabled']),
    created_by: z.string(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Identity' });
export type IdentityAnswer = z.output<typeof identityAnswer>;

export const identityQuery = z.strictObject(pageQuery);
export const identityPage = pageOf(identityAnswer);

export const identityRemoved = z.object({
  id: z.uuid(),
  name: z.string(),
  tokens_revoked: count.describe('How many of its tokens were revoked by this.'),
});
export type IdentityRemoved = z.output<typeof identityRemoved>;

export const whoamiAnswer = z
  .object({
    actor: z.string().describe('As the audit log names who asks.'),
    identity_id: z.uuid().nullable().describe('Null for who is known by claims alone, or by the environment.'),
    tenant: z.object({ id: z.uuid(), name: z.string() }),
    scopes: z.array(z.enum(scopes)),
    operator: z.boolean(),
  })
  .meta({ id: 'Whoami' });
export type WhoamiAnswer = z.output<typeof whoamiAnswer>;
