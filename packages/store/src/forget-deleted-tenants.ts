import type { Store } from './database.ts';
import type { Keyring } from './encryption/keyring.ts';
import { tenantsDeleted } from './tenant-deletion.ts';

/**
 * Forgets the data keys of tenants that are deleted by now, and lets the process forget what it has read by them. For every
 * process that has a keyring, every few seconds: the database has those keys no more, and neither should memory.
 */
export async function forgetDeletedTenants(
  store: Store,
  keyring: Pick<Keyring, 'held' | 'forget'>,
  forget: (tenantId: string) => void = () => {},
): Promise<void> {
  for (const tenantId of await tenantsDeleted(store, keyring.held())) {
    keyring.forget(tenantId);
    forget(tenantId);
  }
}
