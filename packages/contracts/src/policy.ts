import { missReasons, parseGlob, pathPermissions } from '@keyferry/core';
import { z } from 'zod';
import { backendName, givenTime, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';
import { parsedBy } from './refusal.ts';

/** Policies: what may be done with which paths, and by whom. */

const idOrName = z.string().min(1).max(200);
const policyName = backendName.describe('Unique among the policies.');

const pathGlob = z
  .string('must be a glob of local paths')
  .superRefine(parsedBy((text) => parseGlob(text.normalize('NFC'))))
  .describe('Glob of local paths: `*` is one segment or a part of one, `**` any number, `?` one character.');

const permissions = z
  .array(z.enum(pathPermissions), 'must be a list of permissions')
  .min(1, 'must name at least one permission')
  .max(pathPermissions.length)
  .describe('What is granted; admin is all of the others.');

const ipRanges = z
  .array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'must be an address, or a network such as 10.0.0.0/8'))
  .max(100)
  .describe('Addresses and networks that requests have to come from; from anywhere where there are none.');

const expiresAt = givenTime.nullable().describe('When it ends; null: never.');

const claimName = z.string().min(1).max(200);
const mostClaims = 20;

const wantedClaims = z
  .record(claimName, z.string().min(1).max(1_000))
  .refine((claims) => Object.keys(claims).length <= mostClaims, `must name at most ${mostClaims} claims`)
  .refine(
    (claims) => Object.values(claims).some((value) => value !== '*'),
    'must name a claim whose value says more than "*"',
  )
  .describe(
    'By name, or by JSON pointer (/kubernetes.io/namespace). A value is the whole text, or its beginning where it ends in `*`; of a list, one of its texts.',
  );

const bindings = z
  .array(
    z.union([
      z.strictObject({ identity: idOrName.describe('Id or name.') }),
      z.strictObject({ issuer: idOrName.describe('Id or name.'), claims: wantedClaims }),
    ]),
    'must be a list of identities, or of issuers with claims',
  )
  .min(1, 'must name at least one')
  .max(100)
  .describe('Whom it is for: identities, and whoever a token of an issuer says these claims of.');

export const policyInput = z.strictObject({
  name: policyName,
  path_glob: pathGlob,
  permissions,
  ip_ranges: ipRanges.default([]),
  expires_at: expiresAt.default(null),
  bindings,
});
export type PolicyInput = z.output<typeof policyInput>;

export const policyPatch = z
  .strictObject({
    name: policyName,
    path_glob: pathGlob,
    permissions,
    ip_ranges: ipRanges,
    expires_at: expiresAt,
    bindings,
  })
  .partial();
export type PolicyPatch = z.output<typeof policyPatch>;

const name = z.string().nullable().describe('Null where it isn’t there any more.');

export const policyAnswer = z
  .object({
    id: z.uuid(),
    name: z.string(),
    path_glob: z.string(),
    permissions: z.array(z.enum(pathPermissions)),
    ip_ranges: z.array(z.string()),
    expires_at: timestamp.nullable(),
    bindings: z.array(
      z.union([
        z.object({ identity_id: z.uuid(), identity: name }),
        z.object({ issuer_id: z.uuid(), issuer: name, claims: z.record(z.string(), z.string()) }),
      ]),
    ),
    created_by: z.string(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Policy' });
export type PolicyAnswer = z.output<typeof policyAnswer>;

export const policyQuery = z.strictObject(pageQuery);
export const policyPage = pageOf(policyAnswer);
export type PolicyPage = z.output<typeof policyPage>;

const question = {
  permission: z.enum(pathPermissions),
  path: z.string().min(1).max(1024).describe('A local path.'),
  address: z.union([z.ipv4(), z.ipv6()], 'must be an address').optional().describe('Where the request comes from.'),
};

export const policyCheck = z.union([
  z.strictObject({ identity: idOrName.describe('Id or name.'), ...question }),
  z.strictObject({ issuer: idOrName.describe('Id or name.'), claims: z.record(z.string(), z.unknown()), ...question }),
]);

export const policyChecked = z
  .object({
    granted: z.boolean(),
    policy: z.object({ id: z.uuid(), name: z.string() }).nullable().describe('The one that grants it.'),
    scope: z.literal('federation:read').nullable().describe('The scope that grants it, where no policy has to.'),
    identity: z
      .object({ id: z.uuid(), name: z.string(), state: z.enum(['active', 'disabled']) })
      .nullable()
      .describe('Who it is; a disabled identity is granted nothing.'),
    misses: z
      .array(
        z.object({
          id: z.uuid(),
          name: z.string(),
          path_glob: z.string(),
          permissions: z.array(z.enum(pathPermissions)),
          ip_ranges: z.array(z.string()),
          expires_at: timestamp.nullable(),
          reasons: z.array(z.enum(missReasons)),
        }),
      )
      .describe('The policies that come nearest, and all that keeps each from granting it.'),
  })
  .meta({ id: 'PolicyChecked' });
export type PolicyChecked = z.output<typeof policyChecked>;
