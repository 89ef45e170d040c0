import { vaultFailure } from '@keyferry/core';
import { type Connectable, type ConnectionServices, openConnection } from './open-connection.ts';
import type { Connection } from './pool.ts';

/** How long a vault may take while a request waits for it, in milliseconds: less than clients and proxies wait. */
const vaultDeadlineMs = 15_000;

/** Asks a vault while somebody waits for it. Rejects as `ask` does, or with `vault_timeout`. */
export async function askVault<T>(backendName: string, ask: (deadline: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(vaultDeadlineMs);
  return await ask(deadline).catch((error: unknown) => {
    if (!deadline.aborted || error !== deadline.reason) throw error;
    const seconds = vaultDeadlineMs / 1000;
    throw vaultFailure('timeout', `The vault of "${backendName}" did not answer in ${seconds} seconds.`);
  });
}

/** The same with a connection, for as long as it takes. Rejects as `openConnection` does as well. */
export async function withVault<T>(
  services: ConnectionServices,
  backend: Connectable & { name: string },
  work: (connection: Connection, deadline: AbortSignal) => Promise<T>,
): Promise<T> {
  return await askVault(backend.name, async (deadline) => {
    await using connection = await openConnection(services, backend, deadline);
    return await work(connection, deadline);
  });
}
