import { KeyferryError } from '@keyferry/core';
import { sql } from 'kysely';
import type { Tx } from './database.ts';
import type { Tenant, TenantLimits } from './tenants.ts';

/** How a tenant stands, and what it may still have, as its own transactions see it. */

export type TenantStanding = Pick<Tenant, 'name' | 'state'> & TenantLimits;

const own = (tx: Tx) =>
  tx
    .selectFrom('tenants')
    .select(['name', 'state', 'max_backends', 'max_keys', 'max_open_cycles'])
    .where('id', '=', sql<string>`keyferry.current_tenant()`);

/** Of the transaction's tenant. Throws `tenant_not_found`. */
export async function tenantStanding(tx: Tx): Promise<TenantStanding> {
  return (await own(tx).executeTakeFirst()) ?? missing();
}

/** The same; whoever else counts against a limit waits until the transaction ends, and so does who deletes the tenant. */
async function lockStanding(tx: Tx): Promise<TenantStanding> {
  return (await own(tx).forNoKeyUpdate().executeTakeFirst()) ?? missing();
}

function missing(): never {
  throw new KeyferryError('tenant_not_found', 'There is no such tenant.');
}

/** Throws `tenant_not_found` for a tenant that is deleted: it gets no keys any more. */
export async function refuseDeleted(tx: Tx): Promise<void> {
  if ((await tenantStanding(tx)).state === 'deleted') missing();
}

/** All keys there are, archived ones too. */
export async function keysOfTenant(tx: Tx): Promise<number> {
  const { keys } = await tx
    .selectFrom('key_counts')
    .select(sql<number>`coalesce(sum(keys), 0)::bigint`.as('keys'))
    .executeTakeFirstOrThrow();
  return keys;
}

/** Makes one row of what was counted. */
export async function sumKeyCounts(tx: Tx): Promise<void> {
  await sql`WITH counted AS (DELETE FROM key_counts RETURNING tenant_id, keys)
    INSERT INTO key_counts (tenant_id, keys) SELECT tenant_id, sum(keys) FROM counted GROUP BY tenant_id`.execute(tx);
}

/**
 * How many more keys the tenant may have, which stays so until the transaction ends; null where there is no limit. Nobody
 * waits where there is none.
 */
export async function roomForKeys(tx: Tx): Promise<number | null> {
  const { max_keys } = await tenantStanding(tx);
  if (max_keys === null) return null;
  const limit = (await lockStanding(tx)).max_keys;
  return limit === null ? null : Math.max(0, limit - (await keysOfTenant(tx)));
}

/** Throws `tenant_limit_reached` where the tenant may not have another key. */
export async function refuseKeyBeyondLimit(tx: Tx, path: string): Promise<void> {
  if ((await roomForKeys(tx)) === 0)
    throw new KeyferryError(
      'tenant_limit_reached',
      `"${path}" is not stored: the tenant has as many keys as it may have.`,
      { details: { limit: 'max_keys' } },
    );
}

/** Throws `tenant_limit_reached` where the tenant may not have another backend, and `tenant_not_found` once it is deleted. */
export async function refuseBackendBeyondLimit(tx: Tx): Promise<void> {
  const { state, max_backends } = await lockStanding(tx);
  if (state === 'deleted') missing();
  if (max_backends === null) return;
  const { count } = await tx
    .selectFrom('backends')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', '<>', 'removed')
    .executeTakeFirstOrThrow();
  if (count >= max_backends)
    throw new KeyferryError(
      'tenant_limit_reached',
      `The tenant has ${count} backends, and may have no more than ${max_backends}.`,
      { details: { limit: 'max_backends' } },
    );
}

/** Of `wanted` cycles, how many may be opened now because they are due. */
export async function roomForCycles(tx: Tx, wanted: number): Promise<number> {
  if ((await tenantStanding(tx)).max_open_cycles === null) return wanted;
  const limit = (await lockStanding(tx)).max_open_cycles;
  if (limit === null) return wanted;
  const { count } = await tx
    .selectFrom('cycles')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', '=', 'open')
    .executeTakeFirstOrThrow();
  return Math.min(wanted, Math.max(0, limit - count));
}
