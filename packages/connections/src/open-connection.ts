import { type Backend, type Keyring, openSettings, type Store } from '@keyferry/store';
import { credentialKeys } from './credential-keys.ts';
import type { Connection, ConnectionPool } from './pool.ts';

export interface ConnectionServices {
  connections: ConnectionPool;
  store: Store;
  keyring: Keyring;
  now: () => Date;
}

/** What of a backend says how it is connected to. */
export type Connectable = Pick<Backend, 'id' | 'tenant_id' | 'kind' | 'config' | 'credentials_version'>;

/** A use of the backend's connection, which the caller closes; its credentials are opened only when there is none yet. */
export async function openConnection(
  services: ConnectionServices,
  backend: Connectable,
  signal: AbortSignal,
): Promise<Connection> {
  const toOpen = {
    id: backend.id,
    kind: backend.kind,
    fingerprint: `${backend.credentials_version}:${JSON.stringify(backend.config)}`,
    keys: credentialKeys(services, backend.tenant_id),
    settings: async () => {
      const keys = await services.keyring.ofTenant(backend.tenant_id);
      return await services.store.inTenant(backend.tenant_id, (tx) => openSettings(tx, backend.id, keys));
    },
  };
  return await services.connections.open(toOpen, signal);
}

/** Opens the connection when it is first asked for, and ends its use with the run. */
export function lazyConnection(services: ConnectionServices, backend: Backend, signal: AbortSignal) {
  let opened: Promise<Connection> | null = null;
  return {
    open: () => {
      opened ??= openConnection(services, backend, signal);
      return opened;
    },
    async [Symbol.asyncDispose]() {
      await (await opened?.catch(() => null))?.close();
    },
  };
}
