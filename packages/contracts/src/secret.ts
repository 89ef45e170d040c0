import { conflictPolicies, federationModes, keyTypes } from '@keyferry/core';
import { z } from 'zod';
import { count, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';

/** Reading and writing secrets through Keyferry. These are the only answers that hold values. */

/** Longest reference: a path of 1,024 bytes with every character encoded, and a field. */
const mostReferenceCharacters = 8 * 1024;
const mostReferences = 1_000;

const valueFields = {
  value: z.string().describe('The value: of a secret with the single field "value" that field, else all of it.'),
  encoding: z.enum(['utf8', 'base64']).describe('base64 where the value is no text.'),
};

export const secretAnswer = z
  .object({
    path: z.string(),
    ...valueFields,
    version: count.nullable().describe('Keyferry’s number; null where nothing is stored.'),
    remote_version: z.string().nullable().describe('The vault’s name of this version, where it tells one.'),
    state: z.enum(['active', 'deprecated']),
    source: z.enum(['store', 'vault']).describe('Where the value came from.'),
    age: z.number().int().nonnegative().describe('Seconds since this value was read there.'),
    stale: z.boolean().describe('The vault or the store could not be asked: this is what they answered last.'),
    type: z.enum(keyTypes).nullable(),
    content_type: z.string(),
    expires_at: timestamp.nullable(),
    backend: z.string().describe('The backend’s name.'),
  })
  .meta({ id: 'Secret' });
export type SecretAnswer = z.output<typeof secretAnswer>;

export const secretQuery = z.strictObject({
  version: z.coerce
    .number()
    .int()
    .min(1)
    .max(2_147_483_647)
    .optional()
    .describe('An earlier version, while it may be read.'),
  field: z.string().min(1).max(1024).optional().describe('One member of a value that is a JSON object.'),
});

export const secretListQuery = z.strictObject({
  prefix: z.string().max(1024).default('').describe('Leading text of the local path.'),
  ...pageQuery,
});

export const secretPage = pageOf(z.object({ path: z.string(), backend: z.string(), mode: z.enum(federationModes) }));
export type SecretPage = z.output<typeof secretPage>;

export const resolveRequest = z.strictObject({
  references: z
    .array(z.string().min(1).max(mostReferenceCharacters))
    .min(1, 'must name at least one reference')
    .max(mostReferences)
    .describe('vault.<path>, vault.<path>#<field>, or a text that is the value itself.'),
});

const resolvedItem = z.object({ reference: z.string(), ...valueFields, stale: z.boolean() });
const unresolvedItem = z.object({
  reference: z.string(),
  error: z.object({ code: z.string(), message: z.string(), action: z.string() }),
});

/** One item a reference, in the order of the request. */
export const resolveAnswer = z
  .object({ items: z.array(z.union([resolvedItem, unresolvedItem])) })
  .meta({ id: 'Resolved' });
export type ResolveAnswer = z.output<typeof resolveAnswer>;

export const secretWrite = z
  .strictObject({
    value: z.string().describe('Text, or what encoding says.'),
    encoding: z.enum(['utf8', 'base64']).default('utf8'),
  })
  .refine(({ value, encoding }) => encoding === 'utf8' || isBase64(value), {
    path: ['value'],
    message: 'must be base64, with its padding',
  });
export type SecretWrite = z.input<typeof secretWrite>;

/** Headers of a write. Others may come with them. */
export const writeHeaders = z.looseObject({
  'if-match': z.string().max(8_192).optional().describe('ETags, or *: the key has to have one of them, or any.'),
  'if-none-match': z
    .string()
    .max(8_192)
    .optional()
    .describe('ETags, or *: the key must have none of them, or not be there.'),
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/, 'must have 1 to 255 characters that can be printed')
    .optional()
    .describe('A request that comes again with the same is done once, for a day: it gets the same answer.'),
});

export const writtenAnswer = z
  .object({
    path: z.string(),
    version: count,
    remote_version: z.string().nullable(),
    created: z.boolean().describe('There was no such key before.'),
    written_to: z.enum(['store', 'vault']).describe('vault: there first, and then here.'),
    owned: z.boolean().describe('Keyferry made the secret in the vault.'),
  })
  .meta({ id: 'Written' });
export type WrittenAnswer = z.output<typeof writtenAnswer>;

export const deletedAnswer = z
  .object({
    path: z.string(),
    removed_from: z.enum(['store', 'vault']).describe('vault: recoverably, since Keyferry had made the secret there.'),
  })
  .meta({ id: 'Deleted' });
export type DeletedAnswer = z.output<typeof deletedAnswer>;

/** What tells clients that values they keep are not those of now: the data of server-sent events. */
export const changeMessage = z.union([
  z.object({ type: z.literal('hello'), position: z.string() }).describe('The first of a connection.'),
  z.object({ type: z.literal('alive') }).describe('Once a second: nothing was missed until now.'),
  z.object({ type: z.literal('changed'), paths: z.array(z.string()) }),
  z.object({ type: z.literal('flush') }).describe('Nothing that was read before may be used any more.'),
]);
export type ChangeMessage = z.output<typeof changeMessage>;

const side = z.object({
  version: z.string().nullable(),
  at: timestamp.nullable(),
  metadata: z.record(z.string(), z.string()),
});

export const conflictAnswer = z
  .object({
    path: z.string(),
    remote_path: z.string(),
    backend: z.string(),
    kind: z.enum(['changed', 'removed']).describe('removed: gone from the vault, and changed here.'),
    local: side.extend({
      source: z.enum(['vault', 'local', 'rollback', 'backup']),
      deleted: z.boolean().describe('Deleted here: this is what it was.'),
    }),
    remote: side,
    detected_at: timestamp,
    resolution: z.enum(['local', 'remote']).nullable().describe('What a person said; the next cycle does it.'),
    resolved_by: z.string().nullable(),
  })
  .meta({ id: 'Conflict' });
export type ConflictAnswer = z.output<typeof conflictAnswer>;

export const conflictQuery = z.strictObject(pageQuery);
export const conflictPage = pageOf(conflictAnswer).extend({ policy: z.enum(conflictPolicies) });
export type ConflictPage = z.output<typeof conflictPage>;

const paths = z.array(z.string()).min(1, 'must name at least one path').max(1_000).describe('Local paths.');

export const conflictResolution = z.union([
  z.strictObject({ keep: z.enum(['local', 'remote']), paths }),
  z.strictObject({ keep: z.enum(['local', 'remote']), all: z.literal(true) }),
]);
export const conflictsResolved = z.object({
  backend: z.string(),
  keep: z.enum(['local', 'remote']),
  paths: z.array(z.string()),
  cycle_id: z.uuid().nullable().describe('The cycle that does it, where it could be opened at once.'),
});
export type ConflictsResolved = z.output<typeof conflictsResolved>;

export const flushedAnswer = z.object({ message: z.literal('vault cache flushed') });
export const flushRefused = z.object({ error: z.literal('vault is not enabled') });

const isBase64 = (text: string) => /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0;
