import { type AwsEmulator, type AwsStatement, startAwsEmulator } from '@keyferry/emulators';
import { aws } from '../../src/aws/index.ts';
import type { ConformanceTarget, Emulated, RequestKind, Settings } from '../target.ts';

/** `STS` is any request to the token service, whose action is in its body. */
const operations: Record<RequestKind, readonly string[]> = {
  list: ['ListSecrets'],
  read: ['BatchGetSecretValue', 'GetSecretValue'],
  write: ['CreateSecret', 'PutSecretValue', 'DeleteSecret', 'RestoreSecret'],
  login: ['STS'],
};

const everything: AwsStatement = { actions: ['*'] };

const target: ConformanceTarget = {
  name: 'aws',
  definition: aws as ConformanceTarget['definition'],
  capabilities: aws.capabilities,
  pageSize: 100,
  names: {
    allowed: ['a', '/', '/leading', 'trailing/', 'a//b', '..', 'A/_+=.@-', '-', 'ends-AbC123', 'ends', 'x'.repeat(512)],
    refused: [
      '',
      'with space',
      'a:b',
      'a#b',
      'a%2Fb',
      'ключ',
      'a\u0000b',
      'x'.repeat(513),
      'arn:aws:secretsmanager:us-east-1:111122223333:secret:a-AbC123',
    ],
  },
  fields: {
    address: 'endpoint',
    required: ['auth.access_key_id', 'auth.secret_access_key'],
    otherMethod: { token_file: '/run/token' },
  },
  labels: { current: ['AWSCURRENT'], previous: ['AWSPREVIOUS'] },
  largestValue: 65_536,
  value: (text) => Buffer.from(text),
  skips: {},
  async open({ now, tls } = {}) {
    const vault = await startAwsEmulator({ ...(now && { now }), ...(tls && { tls }) });
    const settings = settingsOf(vault, vault.identities.createKey('conformance', [everything]));
    return {
      settings,
      prefix: '',
      emulated: emulatedOf(vault, settings),
      [Symbol.asyncDispose]: () => vault.close(),
    };
  },
};

interface Key {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | null;
}

function settingsOf({ url, region }: AwsEmulator, { accessKeyId, secretAccessKey, sessionToken }: Key): Settings {
  return {
    region,
    endpoint: url,
    sts_endpoint: url,
    auth: {
      method: 'static',
      access_key_id: accessKeyId,
      secret_access_key: secretAccessKey,
      ...(sessionToken && { session_token: sessionToken }),
    },
  };
}

function emulatedOf(vault: AwsEmulator, settings: Settings): Emulated {
  const { secrets, identities } = vault;
  const role = identities.createRole('conformance', {
    statements: [everything],
    trust: { principals: [vault.account], externalId: 'conformance' },
  });
  const auth = settings.auth as Record<string, string>;
  return {
    url: vault.url,
    faults: vault.faults,
    requests: vault.requests,
    match: (kind) => ({ when: ({ operation }) => operations[kind].includes(operation ?? '') }),
    throttled: (retryAfter) => ({
      kind: 'status',
      status: 400,
      body: { __type: 'ThrottlingException', message: 'Rate exceeded' },
      headers: {
        'x-amzn-errortype': 'ThrottlingException',
        ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
      },
    }),
    forbidden: {
      kind: 'status',
      status: 400,
      body: { __type: 'AccessDeniedException', Message: 'User: someone is not authorized to perform: this' },
    },
    put: (path, value, { metadata, expiresAt } = {}) =>
      secrets.put(path, textOrBytes(value), {
        ...((metadata || expiresAt) && {
          tags: { ...metadata, ...(expiresAt && { expires_at: expiresAt.toISOString() }) },
        }),
      }),
    seed(count) {
      const names = Array.from({ length: count }, (_, index) => `seeded/${index % 10}/key-${index}`);
      for (const [index, name] of names.entries()) secrets.put(name, `emulated-value-of-${index}-version-1`);
      return names;
    },
    remove: (path) => secrets.remove(path),
    destroy: (path) => secrets.destroy(path),
    freezeListing: () => secrets.freezeListing(),
    forbidding({ list, read }) {
      const arn = `arn:aws:secretsmanager:${vault.region}:${vault.account}:secret:${read}`;
      const denied: AwsStatement[] = [
        ...(list ? [{ effect: 'Deny' as const, actions: ['secretsmanager:ListSecrets'] }] : []),
        ...(read === undefined
          ? []
          : [
              {
                effect: 'Deny' as const,
                actions: ['secretsmanager:GetSecretValue'],
                resources: [arn, `${arn}-??????`],
              },
            ]),
      ];
      return settingsOf(vault, identities.createKey('limited', [everything, ...denied]));
    },
    rejected: {
      unknown: settingsOf(vault, { accessKeyId: 'AKIANOTANYBODYSKEY00', secretAccessKey: 'canary-of-no-secret-key' }),
      expired: settingsOf(vault, identities.createSession(role, -1)),
    },
    loggingIn: { ...settings, auth: { ...auth, role_arn: role, external_id: 'conformance' } },
    revokeSessions: () => identities.revokeSessions(),
    rotate() {
      identities.deleteKey(String(auth.access_key_id));
      return settingsOf(vault, identities.createKey('conformance'));
    },
    otherContainer: () => settingsOf(vault, identities.createKey('elsewhere', [everything], '444455556666')),
    openSockets: async () => vault.openSockets(),
  };
}

/** As their owners write them: text as text. */
function textOrBytes(value: Buffer): string | Buffer {
  const text = value.toString();
  return Buffer.from(text).equals(value) ? text : value;
}

export const awsTargets = [target];
