import type { Policy } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import type { TenantsTable } from './access-tables.ts';
import type { Tx } from './database.ts';
import type { IdentityRow } from './identities.ts';
import { readPolicies } from './policies.ts';
import { listIssuers, type TokenIssuer } from './token-issuers.ts';

/** Who may do what in a tenant, as a whole. */
export interface StoredAccess {
  tenant: Pick<Selectable<TenantsTable>, 'id' | 'name' | 'state'>;
  /** What follows is of this revision. */
  revision: number;
  /** Those that are not removed. */
  identities: IdentityRow[];
  issuers: TokenIssuer[];
  policies: Policy[];
}

/** Of the transaction's tenant; null where there is none. The first that its transaction does. */
export async function readAccess(tx: Tx, tenantId: string): Promise<StoredAccess | null> {
  // As of one moment: who somebody was before a change must not meet what was granted after it.
  await sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`.execute(tx);
  const row = await tx
    .selectFrom('access_revisions')
    .select('revision')
    .where('tenant_id', '=', tenantId)
    .executeTakeFirst();
  const tenant = await findTenant(tx, tenantId);
  if (!tenant) return null;
  const identities = await tx.selectFrom('identities').selectAll().where('state', '!=', 'removed').execute();
  const issuers = await listIssuers(tx);
  const policies = await readPolicies(tx);
  return { tenant, revision: row?.revision ?? 0, identities, issuers, policies };
}

async function findTenant(tx: Tx, id: string): Promise<StoredAccess['tenant'] | undefined> {
  return await tx.selectFrom('tenants').select(['id', 'name', 'state']).where('id', '=', id).executeTakeFirst();
}
