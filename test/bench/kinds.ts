import { type SpawnedEmulator, spawnEmulator } from '@keyferry/emulators';
import type { BackendSettings } from '@keyferry/store';

export const benchKinds = ['hashicorp', 'aws', 'gcp', 'azure'] as const;
export type BenchKind = (typeof benchKinds)[number];

const folders = 100;

/** One vault of the benchmark, in a process of its own. */
export interface BenchVault {
  kind: BenchKind;
  url: string;
  credentials: Record<string, string>;
  settings: Pick<BackendSettings, 'kind' | 'config' | 'auth'>;
  /** Writes a new version of so large a share of the secrets, and tells their names in the vault. */
  change(share: number): Promise<string[]>;
  stop(): Promise<void>;
}

/** The published limits would be what is measured: they are lifted on both sides. */
const unlimited = { calls_per_second: 100_000 };

export async function startVault(kind: BenchKind, secrets: number, latencyMs: number): Promise<BenchVault> {
  const { emulator, change } =
    kind === 'hashicorp' ? await startHashicorp(secrets, latencyMs) : await startOther(kind, secrets, latencyMs);
  const { config, auth } = settingsOf(kind, emulator);
  return {
    kind,
    url: emulator.url,
    credentials: emulator.credentials,
    settings: { kind, config: { ...config, ...unlimited }, auth },
    change: async (share) => (await change(share)).changed,
    stop: () => emulator.stop(),
  };
}

async function startHashicorp(count: number, latencyMs: number) {
  const emulator = await spawnEmulator('hashicorp', { latencyMs });
  await emulator.control('enable', { path: 'secret', type: 'kv', version: 2 });
  await emulator.control('seed', { mount: 'secret', count, prefix: 'bifrost', groups: folders });
  return { emulator, change: (share: number) => emulator.control('change', { mount: 'secret', share }) };
}

async function startOther(kind: 'aws' | 'gcp' | 'azure', count: number, latencyMs: number) {
  const emulator = await spawnEmulator(kind, { latencyMs });
  await emulator.control('seed', { count, prefix: 'bifrost', groups: folders });
  return { emulator, change: (share: number) => emulator.control('change', { share }) };
}

function settingsOf(kind: BenchKind, { url, credentials }: Pick<SpawnedEmulator, 'url' | 'credentials'>) {
  const { region, project_id, authority_host, ca_cert, ...secret } = credentials;
  switch (kind) {
    case 'hashicorp':
      return { config: { address: url, mount: 'secret' }, auth: { method: 'token', token: secret.root_token } };
    case 'aws': {
      const { access_key_id, secret_access_key } = secret;
      return {
        config: { region, endpoint: url, sts_endpoint: url },
        auth: { method: 'static', access_key_id, secret_access_key },
      };
    }
    case 'gcp':
      return {
        config: { project_id, endpoint: url },
        auth: { method: 'service_account', credentials_json: secret.credentials_json },
      };
    case 'azure': {
      const { tenant_id, client_id, client_secret } = secret;
      return {
        config: { vault_url: url, authority_host, tls: { ca_cert } },
        auth: { method: 'client_secret', tenant_id, client_id, client_secret },
      };
    }
  }
}

/** The fewest calls that the protocols allow, of `secrets` of which `changed` have changed. */
export function leastCalls(kind: BenchKind, secrets: number, changed: number) {
  switch (kind) {
    case 'hashicorp': {
      const lists = folders + 1;
      return { first: lists + secrets, unchanged: lists + secrets, changed: lists + secrets + changed };
    }
    case 'aws': {
      const lists = Math.ceil(secrets / 100);
      return { first: lists + Math.ceil(secrets / 20), unchanged: lists, changed: lists + Math.ceil(changed / 20) };
    }
    case 'gcp': {
      const all = Math.ceil(secrets / 25_000) + secrets;
      return { first: all, unchanged: all, changed: all };
    }
    case 'azure': {
      const lists = Math.ceil(secrets / 25);
      return { first: lists + secrets, unchanged: lists, changed: lists + changed };
    }
  }
}
