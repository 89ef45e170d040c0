import type { GivenVault } from './settings.ts';

/** Variables that credentials refer to. Only a reference is stored, so that a new token needs no change of the backend. */
export const vaultTokenVariable = 'VAULT_TOKEN';
export const demoTokenVariable = 'KEYFERRY_DEMO_VAULT_TOKEN';

/** The name of the backend for a vault that the environment names. */
export const givenName = 'vault';

/** Short, so that a newcomer sees changes come by themselves. */
const demoInterval = '15s';

/** Apart from what a vault of one's own usually has, so that its keys find their local paths free. */
const demoPaths = ['demo/*'];

/** A backend as this run wants it. `config` are the members that it insists on; null is for one that must not be there. */
export interface WantedBackend {
  name: string;
  config: Record<string, unknown>;
  syncPaths: string[] | undefined;
  onCreation: { sync_interval?: string; auth: Record<string, string> };
}

export function demoBackend(address: string): WantedBackend {
  const auth = { method: 'token', token: `env.${demoTokenVariable}` };
  return { name: 'demo', config: { address }, syncPaths: demoPaths, onCreation: { sync_interval: demoInterval, auth } };
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
  return { name: givenName, config, syncPaths: vault.syncPaths, onCreation: { auth } };
}
