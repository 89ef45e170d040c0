import { defineVaultBackend } from '../contract.ts';
import { configSchema } from './config.ts';

export const hashicorp = defineVaultBackend({
  kind: 'hashicorp',
  label: 'HashiCorp Vault or OpenBao',
  configSchema,
  destination: ['address', 'namespace', 'tls', 'allow_http'],
  capabilities: { versions: true, write: false },
  files: ({ auth }) => (auth.method === 'kubernetes' && auth.jwt === undefined ? [auth.jwt_path] : []),
  async exchange(config, context, signal) {
    const { exchangeSecretId } = await import('./exchange.ts');
    return exchangeSecretId(config, context, signal);
  },
  async connect(config, context) {
    const { connectVault } = await import('./backend.ts');
    return connectVault(config, context);
  },
});
