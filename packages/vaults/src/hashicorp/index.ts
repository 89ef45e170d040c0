import { defineVaultBackend } from '../contract.ts';
import { configSchema } from './config.ts';

export const hashicorp = defineVaultBackend({
  kind: 'hashicorp',
  label: 'HashiCorp Vault or OpenBao',
  configSchema,
  capabilities: { versions: true, write: false },
  async connect(config, context) {
    const { connectVault } = await import('./backend.ts');
    return connectVault(config, context);
  },
});
