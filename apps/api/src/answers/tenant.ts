import type { TenantAnswer, TenantDetail } from '@keyferry/contracts';
import { countsOfTenant, type Tenant, type Tx } from '@keyferry/store';

export function showTenant(tenant: Tenant): TenantAnswer {
  return {
    id: tenant.id,
    name: tenant.name,
    state: tenant.state,
    max_backends: tenant.max_backends,
    max_keys: tenant.max_keys,
    max_open_cycles: tenant.max_open_cycles,
    state_changed_at: tenant.state_changed_at.toISOString(),
    deletion_requested_by: tenant.deletion_requested_by,
    purged_at: tenant.purged_at?.toISOString() ?? null,
    created_at: tenant.created_at.toISOString(),
  };
}

/** The same with how much it has; in a transaction of `asOperator`. */
export async function detailTenant(tx: Tx, tenant: Tenant): Promise<TenantDetail> {
  return { ...showTenant(tenant), counts: await countsOfTenant(tx, tenant.id) };
}
