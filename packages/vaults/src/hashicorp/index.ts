import { defineVaultBackend } from '../contract.ts';
import { withinMount } from './api-path.ts';
import { configSchema } from './config.ts';
import { credentialsFrom } from './credentials.ts';
import { policies } from './policy.ts';

export const hashicorp = defineVaultBackend({
  kind: 'hashicorp',
  label: 'HashiCorp Vault or OpenBao',
  configSchema,
  secrets: [
    'token',
    'secret_id',
    'jwt',
    'secret_access_key',
    'session_token',
    'header_value',
    'credentials_json',
    'client_key',
  ],
  destination: ['address', 'namespace', 'tls', 'allow_http'],
  capabilities: {
    revisions: 'probed',
    values: 'fields',
    history: true,
    write: true,
    compareAndSet: 'atomic',
    restore: true,
    leadingSlash: false,
  },
  quotas: [],
  policies,
  withinContainer: withinMount,
  files({ auth }) {
    const reads = (auth.method === 'kubernetes' || auth.method === 'jwt') && auth.jwt === undefined;
    return reads && auth.jwt_path !== undefined ? [auth.jwt_path] : [];
  },
  ambient({ auth }) {
    if (auth.method === 'aws' && auth.access_key_id === undefined) return ['aws'];
    return auth.method === 'gcp' && auth.jwt === undefined && auth.credentials_json === undefined ? ['gcp'] : [];
  },
  credentials: credentialsFrom,
  async exchange(config, context, signal) {
    const { exchangeSecretId } = await import('./exchange.ts');
    return exchangeSecretId(config, context, signal);
  },
  async connect(config, context) {
    const { connectVault } = await import('./backend.ts');
    return connectVault(config, context);
  },
});
