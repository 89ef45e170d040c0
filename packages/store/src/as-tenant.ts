import { KeyferryError } from '@keyferry/core';
import { sql } from 'kysely';
import type { Tx } from './database.ts';

/**
 * Does part of an operator's transaction as a tenant, so that what is written of it is written in one transaction: the
 * tenant's own rows, and the row that only an operator may change. Throws `tenant_not_found` in any other transaction.
 */
export async function asTenant<T>(tx: Tx, tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> {
  const { rows } = await sql`
    SELECT set_config('keyferry.tenant', ${tenantId}, true) WHERE keyferry.is_operator()`.execute(tx);
  if (rows.length === 0) throw new KeyferryError('tenant_not_found', `There is no tenant "${tenantId}".`);
  const result = await work(tx);
  // What fails takes the whole transaction with it, and the setting too.
  await sql`SELECT set_config('keyferry.tenant', '', true)`.execute(tx);
  return result;
}
