import type { BackendAnswer, BackendList, BackendTest } from '@keyferry/contracts';
import type { ApiClient } from '../api/client.ts';
import { route } from '../api/route.ts';
import type { GivenVault } from './settings.ts';

/** Variables that credentials refer to. Only a reference is stored, so that a new token needs no change of the backend. */
export const vaultTokenVariable = 'VAULT_TOKEN';
export const demoTokenVariable = 'KEYFERRY_DEMO_VAULT_TOKEN';

/** Short, so that a newcomer sees changes come by themselves. */
const demoInterval = '15s';

/** A backend as this run wants it. `config` are the members that it insists on. */
interface WantedBackend {
  name: string;
  config: Record<string, unknown>;
  syncPaths: string[] | undefined;
  onCreation: { sync_interval?: string; auth: Record<string, string> };
}

export function demoBackend(address: string): WantedBackend {
  const auth = { method: 'token', token: `env.${demoTokenVariable}` };
  return { name: 'demo', config: { address }, syncPaths: undefined, onCreation: { sync_interval: demoInterval, auth } };
}

export function givenBackend(vault: GivenVault): WantedBackend {
  const config = {
    address: vault.address,
    ...(vault.namespace && { namespace: vault.namespace }),
    ...(vault.mount && { mount: vault.mount }),
    ...(vault.allowHttp && { allow_http: true }),
    ...(vault.caCert && { tls: { ca_cert: vault.caCert } }),
  };
  const auth = { method: 'token', token: `env.${vaultTokenVariable}` };
  return { name: 'vault', config, syncPaths: vault.syncPaths, onCreation: { auth } };
}

/** Registers a backend, or changes the one of that name where it isn't as wanted. What a person set otherwise stays. */
export async function registerBackend(
  api: ApiClient,
  wanted: WantedBackend,
): Promise<{ backend: BackendAnswer; created: boolean }> {
  const { items } = await api.get<BackendList>('/federation/backends');
  const known = items.find(({ name }) => name === wanted.name);
  if (!known) {
    const { auth, ...settings } = wanted.onCreation;
    const backend = await api.post<BackendAnswer>('/federation/backends', {
      name: wanted.name,
      kind: 'hashicorp',
      config: { ...wanted.config, auth },
      ...settings,
      ...(wanted.syncPaths && { sync_paths: wanted.syncPaths }),
    });
    return { backend, created: true };
  }
  const change = {
    ...(differs(wanted.config, known.config) && { config: wanted.config }),
    ...(wanted.syncPaths && differs(wanted.syncPaths, known.sync_paths) && { sync_paths: wanted.syncPaths }),
    ...(known.state === 'paused' && { state: 'active' }),
  };
  if (Object.keys(change).length === 0) return { backend: known, created: false };
  return { backend: await api.patch(route`/federation/backends/${known.id}`, change), created: false };
}

/** Whether something wanted isn't there. */
function differs(wanted: object, known: object): boolean {
  const members = new Map<string, unknown>(Object.entries(known));
  const sizes = Array.isArray(wanted) && Object.keys(wanted).length !== members.size;
  return (
    sizes || Object.entries(wanted).some(([name, value]) => JSON.stringify(value) !== JSON.stringify(members.get(name)))
  );
}

/**
 * Asks the vault whether it lets us in. One that was only just registered and doesn't is taken out again, so that a typing
 * error leaves nothing behind.
 */
export async function testBackend(api: ApiClient, backend: BackendAnswer, created: boolean): Promise<void> {
  try {
    await api.post<BackendTest>(route`/federation/backends/${backend.id}/test`);
  } catch (error) {
    if (created) await api.delete(route`/federation/backends/${backend.id}`).catch(() => {});
    throw error;
  }
}

/** Pauses the backend whose vault this run doesn't have: each of its cycles would fail. */
export async function pauseAbsentBackend(api: ApiClient, name: string): Promise<boolean> {
  const { items } = await api.get<BackendList>('/federation/backends');
  const absent = items.find((backend) => backend.name === name && backend.state === 'active');
  if (absent) await api.patch(route`/federation/backends/${absent.id}`, { state: 'paused' });
  return absent !== undefined;
}
