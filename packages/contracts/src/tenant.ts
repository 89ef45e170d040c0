import { z } from 'zod';
import { backendName, count, timestamp } from './fields.ts';
import { pageOf, pageQuery } from './page.ts';

/** Tenants, as operators see and manage them: never anything of what is theirs but numbers. */

export const tenantStates = ['active', 'suspended', 'deleting', 'deleted'] as const;

/** The request header that names the tenant a request is for. */
export const tenantHeader = 'x-keyferry-tenant';

const name = backendName.describe('Unique among the tenants that are not deleted.');
const most = z.int('must be a whole number').max(2_147_483_647).nullable();

const limits = {
  max_backends: most.refine(notBelow(0), 'must be 0 or more, or null').describe('Null: any number.'),
  max_keys: most
    .refine(notBelow(0), 'must be 0 or more, or null')
    .describe('Keys in any state. Beyond it cycles report what they don’t take in. Null: any number.'),
  max_open_cycles: most
    .refine(notBelow(1), 'must be 1 or more, or null')
    .describe('Cycles that are open at a time because they were due. Null: any number.'),
};

function notBelow(least: number) {
  return (number: number | null) => number === null || number >= least;
}

export const tenantInput = z
  .strictObject({
    name,
    max_backends: limits.max_backends.default(null),
    max_keys: limits.max_keys.default(null),
    max_open_cycles: limits.max_open_cycles.default(null),
  })
  .meta({ id: 'NewTenant' });

export const tenantPatch = z
  .strictObject({ name, ...limits })
  .exactPartial()
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one setting')
  .meta({ id: 'TenantPatch' });
export type TenantPatch = z.output<typeof tenantPatch>;

const fields = {
  id: z.uuid(),
  name: z.string(),
  state: z.enum(tenantStates),
  max_backends: count.nullable(),
  max_keys: count.nullable(),
  max_open_cycles: count.nullable(),
  state_changed_at: timestamp,
  deletion_requested_by: z.string().nullable().describe('Who wanted it to be deleted.'),
  purged_at: timestamp.nullable().describe('When the last row of a deleted tenant was removed.'),
  created_at: timestamp,
};

export const tenantAnswer = z.object(fields).meta({ id: 'Tenant' });
export type TenantAnswer = z.output<typeof tenantAnswer>;

export const tenantDetail = z
  .object({ ...fields, counts: z.object({ backends: count, keys: count, open_cycles: count }) })
  .meta({ id: 'TenantDetail' });
export type TenantDetail = z.output<typeof tenantDetail>;

export const tenantQuery = z.strictObject({
  ...pageQuery,
  state: z.enum(tenantStates).optional().describe('By default all but the deleted ones.'),
});
export const tenantPage = pageOf(tenantAnswer);
