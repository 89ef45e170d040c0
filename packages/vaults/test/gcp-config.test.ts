import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { readSource } from '../src/gcp/external-account.ts';
import { gcp } from '../src/gcp/index.ts';

const pemOf = (type: 'rsa' | 'ec') =>
  (type === 'rsa'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  ).privateKey
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();

const key = {
  type: 'service_account',
  project_id: 'elsewhere-123',
  private_key_id: 'canary-id',
  private_key: pemOf('rsa'),
  client_email: 'sync@elsewhere-123.iam.gserviceaccount.com',
  token_uri: 'https://oauth2.googleapis.com/token',
};

const pool = {
  type: 'external_account',
  audience: '//iam.googleapis.com/projects/12345/locations/global/workloadIdentityPools/cluster/providers/oidc',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_url: 'https://sts.googleapis.com/v1/token',
  credential_source: { file: '/var/run/token' },
};

const settings = (auth: object, more: object = {}) => ({ project_id: 'my-project-123', auth, ...more });
const byKey = (json: unknown, more = {}) =>
  settings(
    { method: 'service_account', credentials_json: typeof json === 'string' ? json : JSON.stringify(json) },
    more,
  );
const byPool = (json: object, more = {}) =>
  settings({ method: 'workload_identity', credentials_json: JSON.stringify(json) }, more);

/** Field and message of what is wrong, or null. */
function refusal(given: object): string | null {
  const { error } = gcp.configSchema.safeParse(given);
  const told = error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n') ?? null;
  for (const secret of ['canary', 'MII', 'PRIVATE KEY-----\n'])
    expect(JSON.stringify(error ?? {}).includes(secret), 'whether it shows what is secret').toBe(false);
  return told;
}

test('usual settings are taken, with the defaults', () => {
  expect(refusal(byPool(pool))).toBeNull();
  expect(gcp.configSchema.parse(byKey(key))).toMatchObject({ separator: '--', allow_http: false });
  const parsed = gcp.configSchema.parse(settings({ method: 'default' }));
  expect(gcp.configSchema.parse(parsed)).toEqual(parsed);
});

test.for<[string, unknown, string]>([
  ['no JSON', 'canary', 'is no JSON object'],
  ['a list', '["canary"]', 'is no JSON object'],
  ['broken JSON', '{"private_key": "canary', 'is no JSON object'],
  ['no type', { ...key, type: undefined }, 'member type is missing'],
  ['another type of Google’s', pool, 'use the method workload_identity'],
  ['a person’s credentials', { ...key, type: 'authorized_user' }, 'credentials of a person'],
  ['an unknown type', { ...key, type: 'canary' }, 'member type'],
  ['no client_email', { ...key, client_email: undefined }, 'client_email is missing'],
  ['a client_email that is a number', { ...key, client_email: 7 }, 'client_email is missing or no text'],
  ['a client_email that is none', { ...key, client_email: 'canary' }, 'client_email is no e-mail address'],
  ['no private_key', { ...key, private_key: undefined }, 'private_key is missing'],
  ['a private_key that is no PEM', { ...key, private_key: 'canary' }, 'private_key is no PEM'],
  ['a private_key without its line breaks', { ...key, private_key: key.private_key.replaceAll('\n', '\\n') }, '\\n'],
  ['a private_key of another kind', { ...key, private_key: pemOf('ec') }, 'private_key is no PEM of an RSA key'],
  [
    'a token_uri without encryption',
    { ...key, token_uri: 'http://oauth2.googleapis.com/token' },
    'token_uri must be https',
  ],
  ['a token_uri of a stranger', { ...key, token_uri: 'https://canary.example.com/token' }, 'token_uri must be https'],
  ['a token_uri that looks like Google’s', { ...key, token_uri: 'https://googleapis.com.example.com/' }, 'token_uri'],
  ['another universe', { ...key, universe_domain: 'canary.example.com' }, 'another universe_domain'],
])('a key file with %s is refused by name, and not shown', ([, json, told]) => {
  const refused = refusal(byKey(json));
  expect(refused).toContain('auth.credentials_json: credentials_json');
  expect(refused).toContain(told);
});

const withSource = (source: object) => ({ ...pool, credential_source: source });

test.for<[string, object, string]>([
  ['a key file', key, 'use the method service_account'],
  ['no audience', { ...pool, audience: undefined }, 'audience is missing'],
  ['an audience that is no provider', { ...pool, audience: '//iam.googleapis.com/canary' }, 'audience is no provider'],
  ['no source', { ...pool, credential_source: undefined }, 'credential_source is missing'],
  ['a program', withSource({ executable: { command: '/bin/canary' } }), 'names a program'],
  ['a certificate', withSource({ certificate: { use_default_certificate_config: true } }), 'certificate'],
  ['a file and a URL', withSource({ file: '/a', url: 'https://example.com' }), 'one of them'],
  ['neither', withSource({}), 'one of them'],
  ['an unknown environment', withSource({ environment_id: 'aws2' }), 'environment_id'],
  ['a URL without encryption', withSource({ url: 'http://canary.example.com/token' }), 'must be https'],
  ['a URL of the machine’s metadata', withSource({ url: 'http://169.254.169.254/latest/canary' }), 'must be https'],
  ['a URL of a file', withSource({ url: 'file:///canary' }), 'must be https'],
  ['JSON without a name', withSource({ file: '/a', format: { type: 'json' } }), 'subject_token_field_name is missing'],
  ['a header that breaks out', withSource({ url: 'https://example.com', headers: { a: 'b\r\nc: canary' } }), 'headers'],
  ['a stranger’s token_url', { ...pool, token_url: 'https://canary.example.com' }, 'token_url must be https'],
  [
    'a stranger who impersonates',
    { ...pool, service_account_impersonation_url: 'https://canary.example.com/x:generateAccessToken' },
    'service_account_impersonation_url must be https',
  ],
  [
    'another method of Google’s',
    { ...pool, service_account_impersonation_url: 'https://iamcredentials.googleapis.com/v1/x:signBlob' },
    'must end in :generateAccessToken',
  ],
  [
    'a life of a day',
    { ...pool, service_account_impersonation: { token_lifetime_seconds: 86_400 } },
    'token_lifetime_seconds must be at most',
  ],
])('a pool’s configuration with %s is refused by name, and not shown', ([, json, told]) => {
  const refused = refusal(byPool(json));
  expect(refused).toContain('auth.credentials_json: credentials_json');
  expect(refused).toContain(told);
});

test('credentials are given as text or as a file, and not as both or neither', () => {
  const method = 'service_account';
  expect(refusal(settings({ method }))).toContain('auth.credentials_json: give');
  const both = { method, credentials_json: JSON.stringify(key), credentials_file: '/run/key.json' };
  expect(refusal(settings(both))).toContain('auth.credentials_file: give');
  expect(refusal(settings({ method: 'default', credentials_file: '/run/key.json' }))).toContain('credentials_file');
});

test.for<[object, string]>([
  [{ project_id: 'No_Project' }, 'project_id must be'],
  [{ project_id: undefined }, 'project_id is required'],
  [{ location: 'Europe' }, 'location must be'],
  [{ separator: '/' }, 'separator must be'],
  [{ endpoint: 'https://example.com/v1' }, 'endpoint must be an address without a path'],
  [
    { tls: { ca_cert: '-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----' } },
    'tls.ca_cert: ca_cert is no PEM',
  ],
])('%o is refused', ([more, told]) => {
  expect(refusal(byKey(key, more))).toContain(told);
});

test('a token endpoint may be where everything of these settings is', () => {
  const endpoint = 'https://vault.example.com';
  const own = { ...key, token_uri: `${endpoint}/token` };
  expect(refusal(byKey(own, { endpoint }))).toBeNull();
  expect(refusal(byKey(own, { endpoint: 'https://other.example.com' }))).toContain('token_uri');
  expect(refusal(byKey({ ...key, token_uri: 'http://127.0.0.1:8080/token' }))).toBeNull();
});

test('credentials that are the operator’s are sent to Google, or to this machine, alone', () => {
  const endpoint = 'https://vault.example.com';
  const operators = [
    settings({ method: 'default' }),
    settings({ method: 'metadata_server' }),
    settings({ method: 'service_account', credentials_file: '/run/key.json' }),
    byPool({ ...pool, token_url: `${endpoint}/token` }),
    byPool(withSource({ environment_id: 'aws1' })),
    byPool(withSource({ url: 'http://169.254.169.254/metadata/identity/oauth2/token' })),
  ];
  for (const given of operators) {
    expect(refusal({ ...given, endpoint })).toContain('endpoint must be Google’s');
    expect(refusal({ ...given, endpoint: 'https://example.googleapis.com.example.com' })).toContain('endpoint');
  }
  expect(refusal({ ...settings({ method: 'default' }), endpoint: 'https://x.p.googleapis.com' })).toBeNull();
  expect(refusal({ ...settings({ method: 'default' }), endpoint: 'http://127.0.0.1:8080' })).toBeNull();
  expect(refusal(byPool(withSource({ url: 'https://ci.example.com/token' }), { endpoint }))).toBeNull();
});

test('files and identities of the operator’s are told, so that they can be refused', () => {
  const told = (given: object) => {
    const config = gcp.configSchema.parse(given);
    return [gcp.files?.(config), gcp.ambient?.(config)];
  };
  expect(told(byKey(key))).toEqual([[], []]);
  expect(told(settings({ method: 'service_account', credentials_file: '/run/key.json' }))).toEqual([
    ['/run/key.json'],
    [],
  ]);
  expect(told(byPool(pool))).toEqual([['/var/run/token'], []]);
  expect(told(byPool(withSource({ url: 'https://ci.example.com/token' })))).toEqual([[], []]);
  expect(told(byPool(withSource({ environment_id: 'aws1', url: 'http://169.254.169.254/x' })))).toEqual([[], ['aws']]);
  const azure = { url: 'http://169.254.169.254/metadata/identity/oauth2/token?resource=x' };
  expect(told(byPool(withSource(azure)))).toEqual([[], ['azure']]);
  expect(told(settings({ method: 'metadata_server' }))).toEqual([[], ['gcp']]);
  expect(told(settings({ method: 'default' }))).toEqual([[], ['gcp']]);
});

test('a document of credentials is Google’s file as it is, or an object of members', () => {
  const text = JSON.stringify(key);
  expect(gcp.credentials('service_account', text)).toEqual({ credentials_json: text });
  expect(gcp.credentials('workload_identity', JSON.stringify(pool))).toEqual({
    credentials_json: JSON.stringify(pool),
  });
  expect(gcp.credentials('service_account', '{"credentials_file":"/a"}')).toEqual({ credentials_file: '/a' });
  for (const [method, bad] of [
    ['service_account', 'canary'],
    ['service_account', '["canary"]'],
    ['default', '{}'],
  ] as const)
    expect(() => gcp.credentials(method, bad)).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.not.stringContaining('canary') }),
    );
});

test.for([
  ['http://169.254.169.254\\metadata\\identity\\x/latest/meta-data', 'http://169.254.169.254/metadata/identity/x/'],
  ['https://idp.example.com', 'https://idp.example.com/'],
  ['https://idp.example.com?aud=/x', 'https://idp.example.com/?aud=/x'],
] as const)('a token is asked for where the URL %s was seen to lead', ([url, begins]) => {
  const source = readSource(JSON.stringify(withSource({ url })));
  expect(source?.kind === 'url' && source.url.startsWith(begins)).toBe(true);
});
