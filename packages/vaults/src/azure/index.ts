import { defineVaultBackend } from '../contract.ts';
import { configSchema } from './config.ts';
import { readCredentials } from './credentials.ts';
import { policies } from './policy.ts';

export const azure = defineVaultBackend({
  kind: 'azure',
  label: 'Azure Key Vault',
  configSchema,
  secrets: ['client_secret', 'certificate', 'private_key', 'token'],
  destination: ['vault_url', 'authority_host', 'tls', 'allow_http'],
  capabilities: {
    revisions: 'listed',
    values: 'text',
    history: true,
    write: true,
    compareAndSet: 'checked',
    restore: true,
    leadingSlash: false,
  },
  quotas: [
    { operations: ['probe', 'detect', 'list', 'read', 'confirm', 'history'], calls: 4_000, seconds: 10 },
    { operations: ['write'], calls: 300, seconds: 10 },
  ],
  policies,
  files: ({ auth }) => (auth.method === 'workload_identity' && auth.token === undefined ? [auth.token_file] : []),
  ambient: ({ auth }) => (auth.method === 'managed_identity' || auth.method === 'default' ? ['azure'] : []),
  credentials: readCredentials,
  async connect(config, context) {
    const { connectVault } = await import('./backend.ts');
    return connectVault(config, context);
  },
});
