import type { GivenVault } from './settings.ts';

/** What the credentials refer to. Only a reference is stored, so that a new token needs no change of the backend. */
export const vaultTokenVariable = 'VAULT_TOKEN';

/** The name of the backend for a vault that the environment names. */
export const givenName = 'vault';

/** A backend as this run wants it. `config` are the members that it insists on; null is for one that must not be there. */
export interface WantedBackend {
  name: string;
  kind: string;
  config: Record<string, unknown>;
  syncPaths: string[] | undefined;
  onCreation: { auth: Record<string, string>; sync_interval?: string; path_mapping?: { from: string; to: string }[] };
}

export function givenBackend(vault: GivenVault): WantedBackend {
  const config = {
    address: vault.address,
    namespace: vault.namespace ?? null,
    ...(vault.mount && { mount: vault.mount }),
    ...(vault.allowHttp && { allow_http: true }),
    tls: vault.caCert ? { ca_cert: vault.caCert } : null,
  };
  const auth = { method: 'token', token: `env.${vaultTokenVariable}` };
  return { name: givenName, kind: 'hashicorp', config, syncPaths: vault.syncPaths, onCreation: { auth } };
}
