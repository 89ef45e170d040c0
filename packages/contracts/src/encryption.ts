import { z } from 'zod';
import { errorAnswer } from './error.ts';
import { count, timestamp } from './fields.ts';

/** Data keys, the master keys that wrap them, and how both are changed. Never a key itself. */

/** So that a tenant that is named here, and not by the header, doesn't make it a request for all of them. */
export const encryptionRequest = z.strictObject({}).nullish();

const masterKey = z.object({
  id: z.string().describe('A fingerprint, which tells nothing about the key.'),
  kind: z.enum(['local', 'transit', 'kms']).nullable().describe('Null where this process doesn’t hold it.'),
  current: z.boolean().describe('Whether new data keys are wrapped by it.'),
  data_keys: count.describe('How many data keys of all tenants it wraps. One that wraps none may be taken away.'),
  created_at: timestamp,
});
export type MasterKeyAnswer = z.output<typeof masterKey>;

const dataKey = z.object({
  id: z.uuid(),
  purpose: z.enum(['data', 'digest']),
  state: z
    .enum(['announced', 'current', 'retired', 'destroyed'])
    .describe('announced: known to all in a few seconds, and current then.'),
  master_key_id: z.string(),
  current_from: timestamp,
  retired_at: timestamp.nullable(),
  ciphertexts: count.nullable().describe('How many a retired key has left; null for others.'),
});
export type DataKeyAnswer = z.output<typeof dataKey>;

export const encryptionAnswer = z
  .object({
    master_keys: z.array(masterKey),
    tenants_to_rewrap: count.describe('How many tenants a rewrap has something to do for.'),
    tenant_id: z.uuid(),
    data_keys: z.array(dataKey).describe('Those of this tenant.'),
  })
  .meta({ id: 'Encryption' });
export type EncryptionAnswer = z.output<typeof encryptionAnswer>;

export const rotatedAnswer = z
  .object({
    tenant_id: z.uuid(),
    id: z.uuid().describe('The new data key.'),
    retired: z.uuid().nullable().describe('The one before; null where a rotation had begun just before this one.'),
    current_from: timestamp,
  })
  .meta({ id: 'RotatedDataKey' });
export type RotatedAnswer = z.output<typeof rotatedAnswer>;

const done = {
  wrapped: count.describe('Data keys that were wrapped by the current master key.'),
  resealed: count.describe('Ciphertexts that were sealed by the current data key.'),
  failed: count.describe('Ciphertexts and data keys that don’t open. They are left as they are.'),
  destroyed: count.describe('Data keys that were destroyed.'),
  retired: count.describe('Retired data keys that are not destroyed yet.'),
};

export const rewrapProgress = z
  .object({ tenant_id: z.uuid(), left: count.describe('Ciphertexts that are left to be sealed anew.'), ...done })
  .meta({ id: 'RewrapProgress' });

export const rewrapEnd = z.object({ summary: z.object({ tenants: count, ...done }) }).meta({ id: 'RewrapEnd' });

/** One line of a rewrap: how far it has come with a tenant, then the summary, or the error that ended it. */
export const rewrapLine = z.union([rewrapProgress, rewrapEnd, errorAnswer]);
export type RewrapLine = z.output<typeof rewrapProgress> | z.output<typeof rewrapEnd>;
