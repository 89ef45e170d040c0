import { removeOwned, storeCredentials } from '@keyferry/access';
import { credentialKeys, type SettingsOwner } from '@keyferry/connections';
import { type Backend, type BackendSettings, getBackend, openSettings, ownerOf } from '@keyferry/store';
import { vaultOfKind } from '@keyferry/vaults';
import { checkedConfig, mergedConfig, refuseRedirection } from './backend-settings.ts';
import type { ApiOptions } from './create-api.ts';

/** Plaintext credentials of backends, kept in a vault that Keyferry may write to, where the tenant has one. */

type Members = Record<string, unknown>;
type Own = Pick<BackendSettings, 'config' | 'auth' | 'credential_paths'>;

/** Registers a backend by `create`, its credentials kept. If it can't be registered, they aren't either. */
export async function keepFirst(
  options: ApiOptions,
  request: {
    tenantId: string;
    backend: { id: string; kind: string };
    config: Members;
    owner: SettingsOwner;
    by: string;
  },
  create: (own: Own) => Promise<Backend>,
): Promise<Backend> {
  const { tenantId, backend, config, owner, by } = request;
  const given = await checkedConfig(options, backend.kind, config, owner);
  const stored = await storeCredentials(options, { tenantId, backend, auth: given.auth, by });
  return await stored.orUndo(async () => {
    const own = { ...config, auth: stored.auth };
    return await create(stored.paths.size === 0 ? given : await checkedConfig(options, backend.kind, own, owner));
  });
}

/**
 * Changes a backend that gets other credentials by `apply`, which are kept then. All that can be refused is refused before
 * any of them is written, and what is not referred to any more is removed.
 */
export async function keepChanged(
  options: ApiOptions,
  request: { tenantId: string; backend: string; config: Members; by: string },
  apply: (config: Members) => Promise<Backend>,
): Promise<Backend> {
  const { tenantId, config, by } = request;
  const keys = await options.keyring.ofTenant(tenantId);
  const { backend, stored: before } = await options.store.inTenant(tenantId, async (tx) => {
    const found = await getBackend(tx, request.backend);
    return { backend: found, stored: await openSettings(tx, found.id, keys) };
  });
  refuseRedirection(vaultOfKind(options.registry, backend.kind).destination, backend.config, config);
  const settingsOwner = { id: backend.id, keys: credentialKeys(options, tenantId) };
  const { auth } = await checkedConfig(options, backend.kind, mergedConfig(before, config), settingsOwner);
  const stored = await storeCredentials(options, { tenantId, backend, auth, by });
  const changed = await stored.orUndo(() => apply({ ...config, auth: stored.auth }));
  const used = new Set(changed.credential_paths);
  const owner = ownerOf({ kind: 'backend', id: changed.id });
  await removeOwned(options, { tenantId, owner, isKept: (path) => used.has(path), by });
  return changed;
}
