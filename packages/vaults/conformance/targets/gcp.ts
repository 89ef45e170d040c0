import { type GcpEmulator, startGcpEmulator } from '@keyferry/emulators';
import { gcp } from '../../src/gcp/index.ts';
import type { ConformanceTarget, Emulated, RequestKind, Settings } from '../target.ts';

const operations: Record<RequestKind, readonly string[]> = {
  list: ['ListSecrets'],
  read: ['AccessSecretVersion', 'GetSecret', 'GetSecretVersion'],
  write: ['CreateSecret', 'AddSecretVersion', 'DeleteSecret'],
  login: ['Token'],
};

/** The real service has pages of 25,000, and may give less. */
const pageSize = 400;

const nameOf = (path: string) => path.replaceAll('/', '--');

function settingsOf(vault: GcpEmulator, credentials_json: string): Settings {
  return {
    project_id: vault.projectId,
    endpoint: vault.url,
    auth: { method: 'service_account', credentials_json },
  };
}

function emulatedOf(vault: GcpEmulator, location: string): Emulated {
  const secrets = () => vault.secrets({ location });
  const { identities, owner } = vault;
  const settings = (email = owner) => ({
    ...settingsOf(vault, identities.keyFile(email)),
    ...(location !== '' && { location }),
  });
  let others = 0;
  const other = () => {
    others += 1;
    return identities.serviceAccount(`other-${others}`, vault.projectId);
  };
  return {
    url: vault.url,
    faults: vault.faults,
    requests: vault.requests,
    match: (kind, path) => ({
      when: (request) =>
        operations[kind].includes(request.operation ?? '') && (path === undefined || request.path === nameOf(path)),
    }),
    throttled: (retryAfter) => ({
      kind: 'status',
      status: 429,
      body: { error: { code: 429, message: 'Quota exceeded', status: 'RESOURCE_EXHAUSTED' } },
      headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
    }),
    forbidden: {
      kind: 'status',
      status: 403,
      body: { error: { code: 403, message: 'Permission denied', status: 'PERMISSION_DENIED' } },
    },
    put(path, value, { metadata, expiresAt } = {}) {
      const options = { ...(metadata && { annotations: metadata }), ...(expiresAt && { expiresAt }) };
      return String(secrets().put(nameOf(path), value, options));
    },
    seed(count) {
      const paths = Array.from(
        { length: count },
        (_, index) => `seeded/group-${index % 7}/key-${String(index).padStart(7, '0')}`,
      );
      secrets().seed(count, (index) => ({
        id: nameOf(paths[index] ?? ''),
        value: `emulated-value-of-${index}-version-1`,
      }));
      return paths;
    },
    remove: (path) => secrets().delete(nameOf(path)),
    destroy: (path) => secrets().delete(nameOf(path)),
    disable: (path) => secrets().setState(nameOf(path), 'DISABLED'),
    destroyVersion: (path) => secrets().setState(nameOf(path), 'DESTROYED'),
    forbidding({ list, read }) {
      const email = other();
      if (list) identities.deny(email, { permission: 'secretmanager.secrets.list' });
      if (read !== undefined) identities.deny(email, { secret: nameOf(read) });
      return settings(email);
    },
    rejected: { unknown: unknownKey(settings()), expired: outdatedKey(other()) },
    loggingIn: settings(),
    revokeSessions: () => vault.revokeTokens(),
    rotate() {
      identities.rotateKey(owner);
      vault.revokeTokens();
      return settings();
    },
    missingContainer: { ...settings(), project_id: 'no-such-project' },
    otherContainer() {
      vault.createProject('other-project');
      identities.grant(owner, 'other-project');
      return { ...settings(), project_id: 'other-project' };
    },
    removeContainer: () => vault.deleteProject(vault.projectId),
    openSockets: async () => vault.openSockets(),
  };

  /** The key of an account that there never was. */
  function unknownKey(good: Settings): Settings {
    const { credentials_json } = good.auth as { credentials_json: string };
    const key = { ...JSON.parse(credentials_json), client_email: 'nobody@example.iam.gserviceaccount.com' };
    return { ...good, auth: { method: 'service_account', credentials_json: JSON.stringify(key) } };
  }

  /** A key that was good until another took its place. */
  function outdatedKey(email: string): Settings {
    const before = settings(email);
    identities.rotateKey(email);
    return before;
  }
}

function target(name: string, location: string): ConformanceTarget {
  return {
    name,
    definition: gcp as ConformanceTarget['definition'],
    capabilities: gcp.capabilities,
    pageSize,
    names: {
      allowed: ['a', 'A_b-9', '0', '-', '_', 'folder/deep/er/a', 'a/-b', `${'long/'.repeat(41)}x`, 'x'.repeat(255)],
      refused: [
        '',
        'with space',
        'a.b',
        'ключ',
        'a//b',
        '/a',
        'a/',
        'a-/b',
        '../a',
        'x'.repeat(256),
        `a/${'x'.repeat(253)}`,
      ],
    },
    fields: {
      address: 'endpoint',
      required: ['project_id', 'auth.credentials_json'],
      otherMethod: { credentials_file: '/run/key.json' },
    },
    largestValue: 64 * 1024,
    value: (text) => Buffer.from(text),
    skips: {},
    async open({ now, tls } = {}) {
      const vault = await startGcpEmulator({ largestPage: pageSize, ...(now && { now }), ...(tls && { tls }) });
      const emulated = emulatedOf(vault, location);
      return {
        settings: emulated.loggingIn ?? {},
        prefix: '',
        emulated,
        [Symbol.asyncDispose]: () => vault.close(),
      };
    },
  };
}

export const gcpTargets = [target('gcp', ''), target('gcp, regional', 'europe-west3')];
