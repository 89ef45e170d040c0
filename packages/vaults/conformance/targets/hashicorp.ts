import { type Flavour, type PolicyRules, startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { hashicorp } from '../../src/hashicorp/index.ts';
import type { ConformanceTarget, Emulated, RequestKind, Settings } from '../target.ts';

type KvVersion = 1 | 2;

const mount = 'secret';
const everything = ['read', 'list', 'scan', 'create', 'update', 'delete', 'patch'] as const;
const all: PolicyRules = { '*': everything };

/** What the emulator takes of a secret's fields as JSON, as integrated storage does unless it is told otherwise. */
const largestValue = 1024 * 1024;

const skips: ConformanceTarget['skips'] = {
  'a value that is too large is not even sent': 'how large is too large is a setting of the server',
};

const plainSkips: ConformanceTarget['skips'] = {
  ...skips,
  'metadata come with a reading, whether a listing came before or not': 'KV version 1 keeps no metadata',
  'metadata of a created secret come back, and one that exists keeps its own': 'KV version 1 keeps no metadata',
  'the end that the vault has set comes with a reading': 'KV version 1 has no ends',
};

function target(name: string, flavour: Flavour, version: KvVersion): ConformanceTarget {
  return {
    name: `hashicorp, ${name}`,
    definition: hashicorp as ConformanceTarget['definition'],
    capabilities:
      version === 2
        ? hashicorp.capabilities
        : { ...hashicorp.capabilities, revisions: 'read', history: false, compareAndSet: 'checked', restore: false },
    pageSize: null,
    names: {
      allowed: [
        'a',
        'with space',
        '50%',
        '%2F',
        'a#b?c=d&e',
        "it's <b>",
        'a.b',
        '.hidden/x',
        'ключ/日本語/🔑',
        'x'.repeat(512),
      ],
      refused: ['', '/', 'a/../b', 'a//b', '/a', 'a/', '.', '..', 'ends.', 'a\u0007b', 'a\u00a0b', 'a/\ud800'],
    },
    fields: { address: 'address', required: ['address', 'auth.token'], otherMethod: { role_id: 'abc' } },
    largestValue,
    value: (text) => Buffer.from(JSON.stringify({ value: text })),
    skips: version === 1 ? plainSkips : skips,
    async open({ now, tls } = {}) {
      const vault = await startVaultEmulator({ flavour, ...(now && { now }), ...(tls && { tls }) });
      vault.mounts.enable(mount, { type: 'kv', version });
      vault.policies.write('all', all);
      const token = vault.tokens.create({ policies: ['all'] });
      const settings = settingsOf(vault, token);
      return {
        settings,
        prefix: '',
        emulated: emulatedOf(vault, version, settings, token),
        [Symbol.asyncDispose]: () => vault.close(),
      };
    },
  };
}

function settingsOf(vault: VaultEmulator, token: string): Settings {
  return { address: vault.url, mount, auth: { method: 'token', token } };
}

function emulatedOf(vault: VaultEmulator, version: KvVersion, settings: Settings, token: string): Emulated {
  const kv = vault.kv(mount);
  const withToken = (policies: readonly string[]) => settingsOf(vault, vault.tokens.create({ policies }));
  const area = version === 2 ? 'data/' : '';
  vault.auth.enable('approle');
  const role_id = vault.auth.appRole('conformance', { policies: ['all'] });
  const appRole = { method: 'approle', role_id, secret_id: vault.auth.secretId('conformance') };
  return {
    url: vault.url,
    faults: vault.faults,
    requests: vault.requests,
    match: (kind, path) => matchOf(kind, `${mount}/${area}${path ?? '*'}`),
    throttled: (retryAfter) => ({
      kind: 'status',
      status: 429,
      body: { errors: ['request path "secret/": rate limit quota exceeded'] },
      ...(retryAfter !== undefined && { headers: { 'retry-after': retryAfter } }),
    }),
    forbidden: {
      kind: 'status',
      status: 403,
      body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] },
    },
    put(path, value, { metadata, expiresAt } = {}) {
      const customMetadata = { ...metadata, ...(expiresAt && { expires_at: expiresAt.toISOString() }) };
      const described = Object.keys(customMetadata).length > 0 && version === 2;
      const number = kv.put(path, value.toString(), described ? { customMetadata } : {});
      return version === 2 ? String(number) : null;
    },
    seed(count) {
      const pathOf = (index: number) =>
        `seeded/group-${String(index % 100).padStart(4, '0')}/key-${String(index).padStart(7, '0')}`;
      kv.seed(count, (index) => ({ path: pathOf(index), data: { value: `emulated-value-of-${index}-version-1` } }));
      return Array.from({ length: count }, (_, index) => pathOf(index));
    },
    remove: (path) => kv.delete(path),
    destroy: (path) => (version === 2 ? kv.deleteMetadata(path) : kv.delete(path)),
    ...(version === 2 && { destroyVersion: (path: string) => kv.destroy(path) }),
    forbidding({ list, read }) {
      const rules: PolicyRules = {
        [`${mount}/*`]: list ? everything.filter((capability) => !/list|scan/.test(capability)) : everything,
        ...(read !== undefined && { [`${mount}/${area}${read}`]: ['deny'] }),
      };
      vault.policies.write('limited', rules);
      return withToken(['limited']);
    },
    rejected: {
      unknown: settingsOf(vault, 'hvs.canary-of-no-token'),
      expired: settingsOf(vault, vault.tokens.create({ policies: ['all'], ttlSeconds: -1 })),
    },
    loggingIn: { ...settings, auth: appRole },
    revokeSessions: () => vault.tokens.revokeLogins(),
    rotate() {
      vault.tokens.revoke(token);
      return withToken(['all']);
    },
    missingContainer: { ...settings, mount: 'nope' },
    otherContainer() {
      vault.mounts.enable('other', { type: 'kv', version });
      return { ...settings, mount: 'other' };
    },
    removeContainer: () => vault.mounts.disable(mount),
    openSockets: async () => vault.openSockets(),
  };
}

function matchOf(kind: RequestKind, path: string): ReturnType<Emulated['match']> {
  switch (kind) {
    case 'list':
      return { when: ({ operation }) => operation === 'list' || operation === 'scan' };
    case 'read':
      return { operation: 'read', path };
    case 'write':
      return {
        path: `${mount}/*`,
        when: ({ operation }) => operation === 'update' || operation === 'delete',
      };
    case 'login':
      return { path: 'auth/approle/login' };
  }
}

export const hashicorpTargets = [
  target('KV 2', 'vault', 2),
  target('KV 2 of OpenBao', 'openbao', 2),
  target('KV 1', 'vault', 1),
];
