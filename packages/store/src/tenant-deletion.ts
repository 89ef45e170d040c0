import { KeyferryError } from '@keyferry/core';
import { sql } from 'kysely';
import { asTenant } from './as-tenant.ts';
import type { Store, Tx } from './database.ts';
import { destroyDataKeys } from './encryption/data-keys.ts';
import {
  type ByOperator,
  countsOfTenant,
  getTenant,
  lockChangeable,
  moveTenant,
  outdated,
  type Tenant,
} from './tenants.ts';

/**
 * The end of a tenant. Its data keys are destroyed in the transaction that says so: from then on nobody opens what was
 * encrypted by them, whatever they have copied before and whichever master key they have. Its rows go later. All of these
 * want a transaction of `asOperator`; what is in the vaults is never touched.
 */

/**
 * Deletes a tenant that has no keys. One that has some is suspended, and waits for a second word. Throws `tenant_not_found`,
 * `tenant_protected`, or `tenant_outdated` for one that waits already or is deleted.
 */
export async function requestTenantDeletion(tx: Tx, idOrName: string, { by, now }: ByOperator): Promise<Tenant> {
  const tenant = await lockChangeable(tx, idOrName);
  if (tenant.state === 'deleting' || tenant.state === 'deleted') throw outdated(tenant, 'deleted once more');
  const requested = { ...tenant, deletion_requested_by: by };
  await tx.updateTable('tenants').set({ deletion_requested_by: by }).where('id', '=', tenant.id).execute();
  if (await hasValues(tx, tenant.id)) {
    const counts = await countsOfTenant(tx, tenant.id);
    return await moveTenant(tx, requested, 'deleting', {
      action: 'tenant.deletion_held',
      details: { ...counts },
      by,
      now,
    });
  }
  const deleted = await destroy(tx, requested, { by, now });
  // Until a moment ago its workers wrote.
  if (await hasValues(tx, tenant.id))
    throw new KeyferryError('tenant_outdated', `Keys of the tenant "${tenant.name}" were stored at this very moment.`);
  return deleted;
}

/** The second word. Throws `tenant_not_found`, or `tenant_outdated` for a tenant whose deletion does not wait for it. */
export async function approveTenantDeletion(tx: Tx, idOrName: string, by: ByOperator): Promise<Tenant> {
  return await destroy(tx, await lockDeleting(tx, idOrName, 'deleted'), by);
}

/** The tenant stays, suspended. Throws as `approveTenantDeletion` does. */
export async function rejectTenantDeletion(tx: Tx, idOrName: string, by: ByOperator): Promise<Tenant> {
  const tenant = await lockDeleting(tx, idOrName, 'kept');
  return await moveTenant(tx, tenant, 'suspended', { action: 'tenant.deletion_rejected', ...by });
}

async function lockDeleting(tx: Tx, idOrName: string, wanted: string): Promise<Tenant> {
  const tenant = await getTenant(tx, idOrName, { lock: true });
  if (tenant.state !== 'deleting') throw outdated(tenant, wanted);
  return tenant;
}

async function hasValues(tx: Tx, tenantId: string): Promise<boolean> {
  return await asTenant(tx, tenantId, async () => {
    const { rows } = await sql<{ some: boolean }>`
      SELECT EXISTS (SELECT FROM keys) OR EXISTS (SELECT FROM backups) AS some`.execute(tx);
    return rows[0]?.some ?? false;
  });
}

async function destroy(tx: Tx, tenant: Tenant, by: ByOperator): Promise<Tenant> {
  const counts = await countsOfTenant(tx, tenant.id);
  await asTenant(tx, tenant.id, async () => {
    await endWork(tx, by.now);
    await endAccess(tx, by.now);
    await destroyDataKeys(tx, tenant.id);
  });
  const details = { requested_by: tenant.deletion_requested_by, ...counts };
  return await moveTenant(tx, tenant, 'deleted', { action: 'tenant.deleted', details, ...by });
}

/** Whoever works on a cycle loses it, shards first, as when a backend is removed; whoever writes a key finds no backend. */
async function endWork(tx: Tx, now: Date): Promise<void> {
  await sql`UPDATE shards s SET epoch = s.epoch + 1 FROM cycles c
    WHERE c.id = s.cycle_id AND c.state = 'open' AND s.state = 'pending'`.execute(tx);
  await sql`UPDATE backends SET state = 'removed', flush_generation = flush_generation + 1, updated_at = ${now}`.execute(
    tx,
  );
  await sql`UPDATE cycles SET epoch = epoch + 1, state = 'failed', error_code = 'tenant_not_found',
    error_message = 'The tenant was deleted.', closed_at = ${now} WHERE state = 'open'`.execute(tx);
  await sql`UPDATE channels SET state = 'paused'`.execute(tx);
}

async function endAccess(tx: Tx, now: Date): Promise<void> {
  await sql`UPDATE tokens SET revoked_at = ${now} WHERE revoked_at IS NULL`.execute(tx);
  await sql`UPDATE identities SET state = 'removed', updated_at = ${now} WHERE state <> 'removed'`.execute(tx);
  await sql`DELETE FROM policies`.execute(tx);
  await sql`DELETE FROM token_issuers`.execute(tx);
}

/** Which of these tenants are deleted: what a process has of them in memory is to be forgotten. */
export async function tenantsDeleted(store: Store, tenantIds: readonly string[]): Promise<string[]> {
  if (tenantIds.length === 0) return [];
  const { rows } = await sql<{ id: string }>`
    SELECT keyferry.tenants_deleted(${tenantIds}::uuid[]) AS id`.execute(store.global);
  return rows.map(({ id }) => id);
}
