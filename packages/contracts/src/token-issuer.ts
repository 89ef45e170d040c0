import { isObject, signingAlgorithms } from '@keyferry/core';
import { z } from 'zod';
import { backendName, timestamp } from './fields.ts';

/** Whose signed tokens are taken, and whom their claims stand for. */

export const issuerKinds = ['oidc', 'kubernetes'] as const;

const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^\P{Cc}*$/u, 'must have no control characters');

const httpUrl = text(2048).refine(
  isHttpUrl,
  'must be a URL that starts with https:// and has no user, query or fragment in it',
);

function isHttpUrl(given: string): boolean {
  const url = URL.canParse(given) ? new URL(given) : null;
  return (
    url !== null &&
    ['https:', 'http:'].includes(url.protocol) &&
    [url.username, url.password, url.hash, url.search].every((part) => part === '')
  );
}

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'];
const mostKeys = 100;

const publicKey = z
  .record(z.string().max(64), z.unknown())
  .refine((key) => ['RSA', 'EC', 'OKP'].includes(String(key.kty)), 'must be a public key of the type RSA, EC or OKP')
  .refine(
    (key) => !privateMembers.some((member) => Object.hasOwn(key, member)),
    'must be a public key: it has members of a private one',
  );

const keySet = z
  .object({ keys: z.array(publicKey).min(1).max(mostKeys) })
  .describe('The public keys themselves (RFC 7517), for an issuer that can’t be asked for them.');

/** A text to match, which may end in `*`. */
const wantedClaim = text(1024)
  .refine((wanted) => !/\*./.test(wanted), 'can have a * only at its end')
  .refine((wanted) => wanted !== '*', 'must say more than *');

export const wantedClaims = z
  .record(text(256), wantedClaim)
  .refine((claims) => Object.keys(claims).length > 0, 'must name at least one claim')
  .refine((claims) => Object.keys(claims).length <= 20, 'must name at most 20 claims')
  .describe(
    'Claims by name, or by JSON pointer (`/kubernetes.io/namespace`), and the text that each has to be; `*` at its end stands for any more. All of them have to match.',
  );

const mapping = z.strictObject({
  claims: wantedClaims,
  identity: z.string().min(1).max(64).describe('Id or name of who it is.'),
});

const certificate = z
  .string()
  .max(65_536)
  .regex(/^\s*-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*$/, 'must be a certificate in PEM');

const fields = {
  // Whoever is known by claims alone is named `<issuer>:<subject>`.
  name: backendName
    .refine((name) => name.toLowerCase() !== 'operator', 'must not be “operator”, as operators are named')
    .describe('Unique among the issuers.'),
  issuer: text(2048).describe('Exactly as tokens have it in `iss`.'),
  audiences: z.array(text(2048)).min(1).max(20).describe('Of which a token has to have one in `aud`.'),
  algorithms: z.array(z.enum(signingAlgorithms)).min(1).max(signingAlgorithms.length),
  jwks_url: httpUrl
    .nullable()
    .describe('Where its public keys are; null for where its discovery document says, or where `jwks` has them.'),
  jwks: keySet.nullable(),
  ca_cert: certificate
    .nullable()
    .describe('PEM of the authority that signed its certificate, if it is one of your own.'),
  mappings: z.array(mapping).max(200).describe('Whom claims stand for; the first that matches.'),
};

export const issuerInput = z
  .strictObject({
    ...fields,
    kind: z.enum(issuerKinds).default('oidc').describe('kubernetes: a cluster’s service accounts.'),
    algorithms: fields.algorithms.default(['RS256', 'ES256']),
    jwks_url: fields.jwks_url.default(null),
    jwks: fields.jwks.default(null),
    ca_cert: fields.ca_cert.default(null),
    mappings: fields.mappings.default([]),
  })
  .superRefine((issuer, context) => checkKeys(issuer, context))
  .meta({ id: 'NewIssuer' });

export const issuerPatch = z
  .strictObject(fields)
  .exactPartial()
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one setting')
  .meta({ id: 'IssuerPatch' });

interface KeySource {
  issuer: string;
  jwks_url: string | null;
  jwks: unknown;
}

/** What of where keys come from doesn't go together; null where all is well. */
export function keySourceProblem({ issuer, jwks_url, jwks }: KeySource): { field: string; message: string } | null {
  if (jwks_url !== null && isObject(jwks)) return { field: 'jwks', message: 'can’t be given together with jwks_url' };
  if (jwks_url === null && jwks === null && !isHttpUrl(issuer))
    return { field: 'issuer', message: 'has to be a URL where neither jwks_url nor jwks is given' };
  return null;
}

function checkKeys(issuer: KeySource, context: z.RefinementCtx): void {
  const problem = keySourceProblem(issuer);
  if (problem) context.addIssue({ code: 'custom', message: problem.message, path: [problem.field] });
}

export const issuerAnswer = z
  .object({
    id: z.uuid(),
    name: z.string(),
    kind: z.enum(issuerKinds),
    issuer: z.string(),
    audiences: z.array(z.string()),
    algorithms: z.array(z.string()),
    jwks_url: z.string().nullable(),
    jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).nullable(),
    ca_cert: z.string().nullable(),
    mappings: z.array(
      z.object({
        claims: z.record(z.string(), z.string()),
        identity_id: z.uuid(),
        identity: z.string().describe('The identity’s name.'),
      }),
    ),
    created_by: z.string(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Issuer' });
export type IssuerAnswer = z.output<typeof issuerAnswer>;

export const issuerList = z.object({ items: z.array(issuerAnswer) });
export type IssuerList = z.output<typeof issuerList>;
