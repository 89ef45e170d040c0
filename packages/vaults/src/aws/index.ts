import { defineVaultBackend } from '../contract.ts';
import { configSchema, isAmbient } from './config.ts';
import { credentialsIn } from './credentials-document.ts';
import { readAndWrite, readOnly } from './policy.ts';

export const aws = defineVaultBackend({
  kind: 'aws',
  label: 'AWS Secrets Manager',
  configSchema,
  secrets: ['secret_access_key', 'session_token', 'token'],
  destination: ['region', 'endpoint', 'sts_endpoint', 'tls', 'allow_http'],
  capabilities: {
    revisions: 'listed',
    values: 'bytes',
    history: true,
    write: true,
    compareAndSet: 'checked',
    restore: true,
    leadingSlash: true,
  },
  // Of an account in a region, from https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html.
  // Reads are batches; of what belongs to history, the slowest.
  quotas: [
    { operations: ['list'], calls: 100, seconds: 1 },
    { operations: ['read'], calls: 100, seconds: 1 },
    { operations: ['confirm', 'metadata'], calls: 40_000, seconds: 1 },
    { operations: ['history'], calls: 50, seconds: 1 },
    { operations: ['write'], calls: 50, seconds: 1 },
  ],
  policies: { read_only: readOnly, read_and_write: readAndWrite },
  files: ({ auth }) => (auth.method === 'web_identity' && auth.token_file !== undefined ? [auth.token_file] : []),
  ambient: ({ auth }) => (isAmbient(auth) ? ['aws'] : []),
  credentials: credentialsIn,
  async connect(config, context) {
    const { connectSecretsManager } = await import('./backend.ts');
    return connectSecretsManager(config, context);
  },
});
