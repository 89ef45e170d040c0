import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import type { BenchSite } from '../bench-site.ts';
import type { Target } from './load.ts';

/** A target and the process that answers. */
interface ServedTarget extends Target {
  pid: number;
}

export interface ReadingSite extends AsyncDisposable {
  vault: VaultEmulator;
  /** Of the API. */
  address: string;
  headers: Record<string, string>;
  /** Local paths of synced secrets, and of a proxied one. */
  synced: string[];
  proxied: string;
  /** One synced secret, and the same bytes from a bare route. */
  ours: ServedTarget;
  bare: ServedTarget;
}

const secrets = 100;

/** The API as a process of its own, with synced and proxied secrets, and the route it is measured against. */
export async function openReadingSite(site: BenchSite): Promise<ReadingSite> {
  await using cleanup = new AsyncDisposableStack();
  const vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  const kv = vault.mounts.enable('secret', { type: 'kv', version: 2 });
  kv.seed(secrets, (index) => ({ path: `bifrost/key-${index}`, data: { value: `sk-${'x'.repeat(48)}-${index}` } }));

  const settings = {
    kind: 'hashicorp',
    config: { address: vault.url, mount: 'secret' },
    auth: { method: 'token', token: vault.rootToken },
  };
  const worker = await site.startWorker();
  await site.cycle(await site.addBackend(settings));
  await worker.stop();
  await site.addBackend({ ...settings, mode: 'proxy' });

  // What the audit log adds is measured by itself.
  const api = await site.startApi({ KEYFERRY_AUDIT_READS: 'off' });
  cleanup.defer(() => api.stop());
  const headers = { authorization: `Bearer ${api.token}` };
  const names = await fetch(`${api.address}/v1/secrets?prefix=run-1/&limit=${secrets}`, { headers });
  const { items } = (await names.json()) as { items: { path: string }[] };
  const synced = items.map(({ path }) => path);
  if (synced.length !== secrets) throw new Error(`${synced.length} secrets are synced`);

  const ours = { pid: api.pid, url: `${api.address}/v1/secrets/${synced[0]}`, headers };
  const bareServer = fork(fileURLToPath(new URL('./bare-server.ts', import.meta.url)), { stdio: 'inherit' });
  cleanup.defer(() => bareServer.disconnect());
  const bareAddress = await started(bareServer, await (await fetch(ours.url, { headers })).text());
  const bare = { pid: bareServer.pid as number, url: `${bareAddress}/v1/secrets/${synced[0]}`, headers };

  const open = cleanup.move();
  return {
    vault,
    address: api.address,
    headers,
    synced,
    proxied: 'run-2/key-0',
    ours,
    bare,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

async function started(server: ChildProcess, body: string): Promise<string> {
  const answered = once(server, 'message');
  server.send(body);
  const [address] = (await answered) as [string];
  return address;
}
