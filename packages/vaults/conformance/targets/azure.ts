import { randomUUID } from 'node:crypto';
import { type AzureEmulator, azureSeededName, startAzureEmulator } from '@keyferry/emulators';
import { azure } from '../../src/azure/index.ts';
import type { ConformanceTarget, Emulated, RequestKind, Settings } from '../target.ts';

const operations: Record<RequestKind, readonly string[]> = {
  list: ['GetSecrets'],
  read: ['GetSecret'],
  write: ['SetSecret', 'DeleteSecret', 'RecoverDeletedSecret'],
  login: ['Token'],
};

const nameOf = (path: string) => path.replaceAll('/', '--');

const target: ConformanceTarget = {
  name: 'azure',
  definition: azure as ConformanceTarget['definition'],
  capabilities: azure.capabilities,
  pageSize: 25,
  names: {
    allowed: ['a', '0', '-', 'a-b', 'folder/a', 'deep/er/still/b', 'Mixed/Case', 'a----b', '--ends', 'x'.repeat(127)],
    refused: ['', '/', '/a', 'a/', 'a//b', 'a_b', 'a.b', 'a b', 'a%2Fb', 'a--b', 'a-/b', '..', 'ключ', 'x'.repeat(128)],
  },
  fields: {
    address: 'vault_url',
    required: ['vault_url', 'auth.tenant_id', 'auth.client_id', 'auth.client_secret'],
    otherMethod: { token_file: '/run/token' },
  },
  largestValue: 25_600,
  value: (text) => Buffer.from(text),
  skips: {},
  async open({ now, tls } = {}) {
    const vault = await startAzureEmulator({ ...(now && { now }), ...(tls && { tls }) });
    const other = await startAzureEmulator();
    const clientId = vault.applications.register();
    const settings = settingsOf(vault, clientId);
    return {
      settings,
      prefix: '',
      emulated: emulatedOf(vault, other, clientId, settings),
      [Symbol.asyncDispose]: async () => {
        await Promise.all([vault.close(), other.close()]);
      },
    };
  },
};

function settingsOf(vault: AzureEmulator, clientId: string, secret = vault.applications.addSecret(clientId)): Settings {
  return {
    vault_url: vault.url,
    authority_host: vault.authorityUrl,
    ...(vault.caCert !== '' && { tls: { ca_cert: vault.caCert } }),
    auth: { method: 'client_secret', tenant_id: vault.tenantId, client_id: clientId, client_secret: secret },
  };
}

function emulatedOf(vault: AzureEmulator, other: AzureEmulator, clientId: string, settings: Settings): Emulated {
  const { secrets, applications } = vault;
  return {
    url: vault.url,
    faults: vault.faults,
    requests: vault.requests,
    match: (kind, path) => ({
      when: ({ operation }) => operations[kind].includes(operation ?? ''),
      ...(path !== undefined && { path: nameOf(path) }),
    }),
    throttled: (retryAfter) => ({
      kind: 'status',
      status: 429,
      body: {
        error: { code: 'Throttled', message: 'Request was not processed because too many requests were received.' },
      },
      ...(retryAfter !== undefined && { headers: { 'retry-after': retryAfter } }),
    }),
    forbidden: {
      kind: 'status',
      status: 403,
      body: { error: { code: 'Forbidden', message: 'Not authorized.', innererror: { code: 'ForbiddenByRbac' } } },
    },
    put: (path, value, { metadata, expiresAt } = {}) =>
      secrets.put(nameOf(path), value.toString(), {
        ...(metadata && { tags: metadata }),
        ...(expiresAt && { expires: expiresAt }),
      }),
    seed: (count) =>
      Array.from({ length: count }, (_, index) => {
        const name = azureSeededName(index);
        secrets.put(name, `emulated-value-of-${index}-version-1`);
        return name.replaceAll('--', '/');
      }),
    remove: (path) => secrets.delete(nameOf(path)),
    destroy: (path) => secrets.purge(nameOf(path)),
    disable: (path) => secrets.disable(nameOf(path)),
    forbidding({ list, read }) {
      const limited = applications.register();
      if (list) applications.forbid(limited, 'list');
      if (read !== undefined) applications.forbid(limited, 'get', nameOf(read));
      return settingsOf(vault, limited);
    },
    rejected: {
      unknown: settingsOf(vault, randomUUID(), 'canary-of-no-client-secret'),
      expired: settingsOf(vault, clientId, applications.addSecret(clientId, { expiresAt: new Date('2020-01-01') })),
    },
    loggingIn: settings,
    revokeSessions: () => vault.revokeTokens(),
    rotate() {
      applications.removeSecrets(clientId);
      return settingsOf(vault, clientId);
    },
    otherContainer: () => settingsOf(other, other.applications.register()),
    openSockets: async () => vault.openSockets(),
  };
}

export const azureTargets = [target];
