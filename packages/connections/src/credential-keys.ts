import {
  credentialVersions,
  type Keyring,
  openCredentialKey,
  type Store,
  type TenantKeys,
  type Tx,
} from '@keyferry/store';
import type { CredentialKeys } from './credential-sources.ts';

/** How keys of a tenant are read that backends' credentials are in. */
export function credentialKeys(
  { store, keyring, now }: { store: Store; keyring: Keyring; now: () => Date },
  tenantId: string,
): CredentialKeys {
  return {
    versions: (paths) => store.inTenant(tenantId, (tx) => credentialVersions(tx, paths, now())),
    async read(path) {
      const keys = await keyring.ofTenant(tenantId);
      return await store.inTenant(tenantId, (tx) => openCredentialKey(tx, path, keys, now()));
    },
  };
}

/** The same inside a transaction. */
export const credentialKeysIn = (tx: Tx, keys: TenantKeys, now: Date): CredentialKeys => ({
  versions: (paths) => credentialVersions(tx, paths, now),
  read: (path) => openCredentialKey(tx, path, keys, now),
});
