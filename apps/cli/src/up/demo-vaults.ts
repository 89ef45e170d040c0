import type { EmulatorAddress, EmulatorKind } from '@keyferry/emulators';
import type { WantedBackend } from './wanted-backend.ts';

/** The demo's vaults, the one that is always there first. */
export const demoKinds = ['hashicorp', 'aws', 'gcp', 'azure'] as const satisfies readonly EmulatorKind[];

/** Short, so that a newcomer sees changes come by themselves. */
const demoInterval = '15s';

function nameOf(kind: EmulatorKind): string {
  return kind === 'hashicorp' ? 'demo' : `demo-${kind}`;
}

/** Names of the backends for them. */
export const demoNames = demoKinds.map(nameOf);

/** The variable that holds one of a demo vault's credentials. Only a reference to it is stored. */
const variableOf = (kind: EmulatorKind, name: string) => `KEYFERRY_DEMO_${kind}_${name}`.toUpperCase();

/** What processes of ours are given of the demo vaults' credentials. */
export function demoVariables(kind: EmulatorKind, { credentials }: EmulatorAddress): Record<string, string> {
  return Object.fromEntries(Object.entries(credentials).map(([name, value]) => [variableOf(kind, name), value]));
}

/** The names that variables of the demo begin with. */
export const demoVariablePattern = 'KEYFERRY_DEMO_*';

/** A backend for a demo vault. Its keys lie below `demo/` there, and below the backend's name here. */
export function demoBackend(kind: EmulatorKind, vault: EmulatorAddress): WantedBackend {
  const name = nameOf(kind);
  const { config, auth } = settingsOf(kind, vault);
  return {
    name,
    kind,
    config,
    // Apart from what a vault of one's own usually has, so that its keys find their local paths free.
    syncPaths: ['demo/*'],
    onCreation: {
      sync_interval: demoInterval,
      auth,
      ...(name !== 'demo' && { path_mapping: [{ from: `${name}/**`, to: 'demo/**' }] }),
    },
  };
}

function settingsOf(
  kind: EmulatorKind,
  { url, credentials }: EmulatorAddress,
): { config: Record<string, unknown>; auth: Record<string, string> } {
  const secret = (name: string) => `env.${variableOf(kind, name)}`;
  switch (kind) {
    case 'hashicorp':
      return { config: { address: url }, auth: { method: 'token', token: secret('root_token') } };
    case 'aws':
      return {
        config: { region: credentials.region, endpoint: url, sts_endpoint: url },
        auth: {
          method: 'static',
          access_key_id: secret('access_key_id'),
          secret_access_key: secret('secret_access_key'),
        },
      };
    case 'gcp':
      return {
        config: { project_id: credentials.project_id, endpoint: url },
        auth: { method: 'service_account', credentials_json: secret('credentials_json') },
      };
    case 'azure':
      return {
        config: {
          vault_url: url,
          authority_host: credentials.authority_host,
          tls: { ca_cert: credentials.ca_cert },
        },
        auth: {
          method: 'client_secret',
          tenant_id: secret('tenant_id'),
          client_id: secret('client_id'),
          client_secret: secret('client_secret'),
        },
      };
  }
}
