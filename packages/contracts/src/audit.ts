import { z } from 'zod';
import { errorAnswer } from './error.ts';
import { count, durationBetween, givenTime, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';

/** Who did what, and who read what. Never a value, and never a credential. */

export const auditOutcomes = ['done', 'read', 'refused', 'failed'] as const;

export const auditEntry = z
  .object({
    at: timestamp,
    actor: z.string().describe('Who; `unknown` where nobody was recognised.'),
    action: z.string().describe('What, as `secret.read` or `backend.created`.'),
    target: z.string().describe('With what: a local path, a name or an id.'),
    outcome: z
      .enum(auditOutcomes)
      .describe('done: it was done; read: it was told; refused: it was not allowed; failed: it could not be told.'),
    request_id: z.uuid().nullable().describe('Of the request it came of, as its answer told it.'),
    address: z.string().nullable().describe('Where the request came from.'),
    details: z.record(z.string(), z.unknown()),
    batch: count.describe('What was committed together.'),
    place: count.describe('Its place in the batch.'),
  })
  .meta({ id: 'AuditEntry' });
export type AuditEntryAnswer = z.output<typeof auditEntry>;

const filters = {
  actor: z.string().optional(),
  action: z.string().optional(),
  path: z.string().optional().describe('The local path, or whatever else was its target.'),
  prefix: z.string().optional().describe('What the path begins with.'),
  outcome: z.enum(auditOutcomes).optional(),
  request_id: z.uuid().optional(),
  since: givenTime.optional().describe('From then on.'),
  until: givenTime.optional().describe('Before then.'),
};
export const auditFilterQuery = z.strictObject(filters);
export const auditQuery = z.strictObject({ ...pageQuery, ...filters });
export const auditPage = pageOf(auditEntry);
export type AuditPage = z.output<typeof auditPage>;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/i, 'must be 64 hexadecimal digits');
const anchor = z.strictObject({ number: z.number().int().nonnegative(), hash: sha256 });
const mostAnchors = 20_000;

/** The body may be left out. */
export const verifyRequest = z
  .strictObject({
    anchors: z.array(anchor).max(mostAnchors).default([]).describe('Heads of the chain that are known.'),
  })
  .nullish();

const verified = z.object({
  rows: count.describe('How many rows were checked.'),
  batches: count,
  from: count.describe('After the batch with this number: what was before it was pruned.'),
  head: anchor.describe('Where the chain ends, or up to where it is whole.'),
  anchors: count.describe('How many of the anchors were compared.'),
  rows_per_second: count,
  unsealed: z
    .object({ batches: count, rows: count, since: timestamp.nullable() })
    .describe('What is not in the chain yet: it can’t be checked.'),
  broken: z
    .object({
      code: z.literal('audit_broken'),
      reason: z.string(),
      action: z.string().describe('What to do about it.'),
      number: count.describe('The batch’s place in the chain.'),
      batch: count.nullable(),
      place: count.nullable().describe('The row’s place in the batch, where one can be told.'),
      at: timestamp.nullable(),
    })
    .nullable()
    .describe('The first place that is not as it was sealed; null where there is none.'),
});
export type VerifiedAnswer = z.output<typeof verified>;

/** One line of a verification: how far it is, how it ended, or the error that ended it. */
export const verifyLine = z.union([z.object({ rows: count }), z.object({ verified }), errorAnswer]);
export type VerifyLine = { rows: number } | { verified: VerifiedAnswer };

const retention = durationBetween('1d', '36500d');
export const retentionSettings = z.strictObject({ retention });
export const retentionAnswer = z.object({ retention }).meta({ id: 'AuditRetention' });
export type RetentionAnswer = z.output<typeof retentionAnswer>;
