import { defineVaultBackend } from '../contract.ts';
import { configSchema } from './config.ts';
import { filesOf, identitiesOf, membersOfDocument } from './credentials.ts';
import { policies } from './policy.ts';

export const gcp = defineVaultBackend({
  kind: 'gcp',
  label: 'Google Secret Manager',
  configSchema,
  secrets: ['credentials_json'],
  destination: ['project_id', 'location', 'endpoint', 'tls', 'allow_http'],
  capabilities: {
    revisions: 'read',
    values: 'bytes',
    history: true,
    write: true,
    compareAndSet: 'checked',
    restore: false,
    leadingSlash: false,
  },
  // A project's, for each minute. Listing versions counts as reading, not as access.
  quotas: [
    { operations: ['read'], calls: 90_000, seconds: 60 },
    { operations: ['probe', 'detect', 'list', 'metadata', 'confirm', 'history'], calls: 600, seconds: 60 },
    { operations: ['write'], calls: 600, seconds: 60 },
  ],
  policies,
  files: ({ auth }) => filesOf(auth),
  ambient: ({ auth }) => identitiesOf(auth),
  credentials: membersOfDocument,
  async connect(config, context) {
    const { connectGcp } = await import('./backend.ts');
    return connectGcp(config, context);
  },
});
