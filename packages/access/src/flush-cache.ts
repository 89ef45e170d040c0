import { KeyferryError } from '@keyferry/core';
import { audit, flushBackends, listBackends } from '@keyferry/store';
import type { AccessServices } from './services.ts';

/** From now on no process answers what it had read of a tenant's secrets before. Throws `vault_not_enabled`. */
export async function flushCaches(
  { store, now }: Pick<AccessServices, 'store' | 'now'>,
  { tenantId, by }: { tenantId: string; by: string },
): Promise<void> {
  await store.inTenant(tenantId, async (tx) => {
    const backends = await listBackends(tx);
    if (backends.length === 0) throw new KeyferryError('vault_not_enabled', 'There is no backend to read secrets of.');
    const ids = backends.map(({ id }) => id);
    await flushBackends(tx, ids);
    await audit(tx, tenantId, { actor: by, action: 'cache.flushed', target: 'all', details: { backends: ids } }, now());
  });
}
