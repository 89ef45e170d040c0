import { KeyferryError } from '@keyferry/core';
import type { Store } from './database.ts';
import { columnOf } from './id-or-name.ts';

/** The id of a tenant that an operator names by id or name. Throws `tenant_not_found`. */
export async function findTenantId(store: Store, idOrName: string): Promise<string> {
  const row = await store.asOperator((tx) =>
    tx.selectFrom('tenants').select('id').where(columnOf(idOrName), '=', idOrName).executeTakeFirst(),
  );
  if (!row) throw new KeyferryError('tenant_not_found', `There is no tenant "${idOrName}".`);
  return row.id;
}
