import { type ConnectionServices, refuseOtherContainer, withVault } from '@keyferry/connections';
import { describeError, KeyferryError } from '@keyferry/core';
import { allTenants, type Backend, listBackends } from '@keyferry/store';

/** Throws `vault_ping_failed` unless every required vault that nobody has paused answers and lets us in. */
export async function pingVaults(services: ConnectionServices): Promise<void> {
  const { store } = services;
  for (const tenantId of await allTenants(store)) {
    const backends = await store.inTenant(tenantId, (tx) => listBackends(tx));
    const asked = backends.filter(({ required, state }) => required && state !== 'paused');
    await Promise.all(asked.map((backend) => ping(services, backend)));
  }
}

async function ping(services: ConnectionServices, backend: Backend): Promise<void> {
  try {
    await withVault(services, backend, async (connection, deadline) => {
      refuseOtherContainer(backend, await connection.probe(deadline));
    });
  } catch (error) {
    const { code, message } = describeError(error);
    throw new KeyferryError('vault_ping_failed', `vault: ping failed: backend "${backend.name}": ${code}: ${message}`);
  }
}
