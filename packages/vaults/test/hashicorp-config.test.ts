import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { hashicorp } from '../src/hashicorp/index.ts';

const token = { method: 'token', token: 't' };
const pem = (name: string) => readFileSync(new URL(`./fixtures/${name}.pem`, import.meta.url), 'utf8');
const broken = (label: string) => `-----BEGIN ${label}-----\nnonsense\n-----END ${label}-----\n`;
const pair = { client_cert: pem('client'), client_key: pem('client-key') };
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const account = JSON.stringify({
  type: 'service_account',
  client_email: 'sync@project.iam.gserviceaccount.com',
  private_key_id: 'k1',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
});
const parse = (settings: unknown) => hashicorp.configSchema.safeParse(settings);
const problems = (settings: unknown) =>
  parse(settings).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

test('an address and a token are enough', () => {
  expect(parse({ address: 'http://127.0.0.1:8200', auth: token }).data).toMatchObject({
    mount: 'secret',
    allow_http: false,
    auth: { method: 'token', token: 't' },
  });
});

test('mounts and namespaces may be written with slashes around them', () => {
  const settings = { address: 'https://v', mount: '/team/kv/', namespace: 'a/b/', auth: token };
  expect(parse(settings).data).toMatchObject({ mount: 'team/kv', namespace: 'a/b' });
});

test('a vault may be spoken to in the clear on this machine, elsewhere only if it is said so', () => {
  for (const host of ['localhost:8200', '127.0.0.1', '[::1]:8200'])
    expect(parse({ address: `http://${host}`, auth: token }).success).toBe(true);
  expect(problems({ address: 'http://openbao:8200', auth: token })?.[0]).toContain('allow_http');
  expect(parse({ address: 'http://openbao:8200', allow_http: true, auth: token }).success).toBe(true);
});

test('the defaults of auth methods are those of the vault', () => {
  const auth = (settings: object) => parse({ address: 'https://v', auth: settings }).data?.auth;
  expect(auth({ method: 'approle', role_id: 'r', secret_id: 's' })).toMatchObject({ mount_path: 'approle' });
  expect(auth({ method: 'kubernetes', role: 'r' })).toMatchObject({
    mount_path: 'kubernetes',
    jwt_path: '/var/run/secrets/kubernetes.io/serviceaccount/token',
  });
  expect(auth({ method: 'jwt', role: 'r', jwt: 'a.b.c' })).toMatchObject({ mount_path: 'jwt' });
  expect(auth({ method: 'cert', ...pair })).toMatchObject({ mount_path: 'cert' });
  expect(auth({ method: 'aws' })).toMatchObject({ mount_path: 'aws' });
  expect(auth({ method: 'gcp', role: 'r' })).toMatchObject({ mount_path: 'gcp' });
});

test.for<[string, object, string]>([
  ['no address', { address: undefined }, 'address: address is required'],
  ['an address without scheme', { address: 'vault:8200' }, 'address: address must be a URL'],
  ['an address that is no URL', { address: '::' }, 'address: address must be a URL'],
  ['credentials in the address', { address: 'https://u:p@v' }, 'address: address must not hold credentials'],
  ['an unknown setting', { token: 't' }, ': Unrecognized key: "token"'],
  ['a version of KV that is none', { kv_version: 3 }, 'kv_version: kv_version must be 1 or 2'],
  ['an empty mount', { mount: '/' }, 'mount: mount must be a path'],
  ['a mount with dots', { mount: 'a/../b' }, 'mount: mount must be a path'],
  ['no auth', { auth: undefined }, 'auth: '],
  ['an unknown method', { auth: { method: 'ldap' } }, 'auth.method: method must be one of'],
  ['an empty token', { auth: { method: 'token', token: '' } }, 'auth.token: token must not be empty'],
  [
    'no secret_id',
    { auth: { method: 'approle', role_id: 'r' } },
    'auth.secret_id: give secret_id or wrapped_secret_id',
  ],
  [
    'both kinds of it',
    { auth: { method: 'approle', role_id: 'r', secret_id: 's', wrapped_secret_id: 'w' } },
    'auth.secret_id: give',
  ],
  ['a token of spaces', { auth: { method: 'token', token: ' \n' } }, 'auth.token: token must not be empty'],
  ['a token of two lines', { auth: { method: 'token', token: 'a\nb' } }, 'auth.token: token must be of ASCII'],
  [
    'a wrapping token beyond ASCII',
    { auth: { method: 'approle', role_id: 'r', wrapped_secret_id: 'ключ' } },
    'auth.wrapped_secret_id: wrapped_secret_id must be of ASCII',
  ],
  ['a namespace beyond ASCII', { namespace: '日本' }, 'namespace: namespace must be of ASCII'],
  ['a host name of two lines', { tls: { server_name: 'a\nb' } }, 'tls.server_name: server_name must be'],
  ['a file for a certificate', { tls: { ca_cert: '/etc/ca.pem' } }, 'tls.ca_cert: ca_cert must be PEM text'],
  [
    'half a client certificate',
    { auth: { ...token, client_key: '-----BEGIN PRIVATE KEY-----' } },
    'auth.client_cert: give',
  ],
  [
    'a file for a key',
    { auth: { ...token, ...pair, client_key: '/etc/key.pem' } },
    'auth.client_key: client_key must be PEM text',
  ],
  ['an authority that is none', { tls: { ca_cert: broken('CERTIFICATE') } }, 'tls.ca_cert: ca_cert is no PEM'],
  [
    'a certificate that is none',
    { auth: { ...token, ...pair, client_cert: broken('CERTIFICATE') } },
    'auth.client_cert: client_cert is no PEM',
  ],
  [
    'a key that is none',
    { auth: { ...token, ...pair, client_key: broken('PRIVATE KEY') } },
    'auth.client_key: client_key is no PEM',
  ],
  [
    'the key of another certificate',
    { auth: { method: 'cert', ...pair, client_key: pem('server-key') } },
    'auth.client_key: client_key does not belong to the certificate',
  ],
  [
    'a cert login without key',
    { auth: { method: 'cert', client_cert: pair.client_cert } },
    'auth.client_key: client_key must',
  ],
  ['no JSON web token', { auth: { method: 'jwt', role: 'r' } }, 'auth.jwt: give jwt or jwt_path'],
  ['two of them', { auth: { method: 'jwt', role: 'r', jwt: 'a', jwt_path: '/t' } }, 'auth.jwt: give jwt or jwt_path'],
  ['no role', { auth: { method: 'jwt', jwt: 'a.b.c' } }, 'auth.role: role must be text'],
  ['half of an AWS key', { auth: { method: 'aws', access_key_id: 'a' } }, 'auth.access_key_id: give access_key_id and'],
  [
    'an AWS session without key',
    { auth: { method: 'aws', session_token: 's' } },
    'auth.session_token: session_token goes',
  ],
  [
    'a region that is none',
    { auth: { method: 'aws', region: 'Frankfurt' } },
    'auth.region: region must be one such as',
  ],
  [
    'an endpoint that is none',
    { auth: { method: 'aws', sts_endpoint: 'sts' } },
    'auth.sts_endpoint: sts_endpoint must',
  ],
  ['a header of two lines', { auth: { method: 'aws', header_value: 'a\nb' } }, 'auth.header_value: header_value must'],
  [
    'two identities of Google',
    { auth: { method: 'gcp', role: 'r', jwt: 'a.b.c', credentials_json: account } },
    'auth.jwt: give jwt or credentials_json, not both',
  ],
  [
    'another file of Google’s',
    { auth: { method: 'gcp', role: 'r', credentials_json: '{"type":"authorized_user"}' } },
    'auth.credentials_json: credentials_json must be the JSON of a service account',
  ],
  [
    'a service account whose key is none',
    { auth: { method: 'gcp', role: 'r', credentials_json: account.replace('-----BEGIN', '-----') } },
    'auth.credentials_json: credentials_json must be the JSON of a service account',
  ],
])('%s is refused by its field', ([, settings, problem]) => {
  const found = problems({ address: 'https://v', auth: token, ...settings });
  expect(found).toHaveLength(1);
  expect(found?.[0]).toContain(problem);
});

test('a reference stays as it is, and only the end of a credential is cut off', () => {
  const auth = (settings: object) => parse({ address: 'https://v', auth: settings }).data?.auth;
  expect(auth({ method: 'token', token: 'env.VAULT_TOKEN' })).toMatchObject({ token: 'env.VAULT_TOKEN' });
  expect(auth({ method: 'approle', role_id: 'r\n', secret_id: ' s t\r\n' })).toMatchObject({
    role_id: 'r',
    secret_id: ' s t',
  });
  expect(auth({ method: 'kubernetes', role: 'r', jwt: 'a.b.c\n' })).toMatchObject({ jwt: 'a.b.c' });
});

test('no message shows a value', () => {
  const bad = { client_cert: broken('CERTIFICATE'), client_key: broken('PRIVATE KEY'), credentials_json: 'canary' };
  for (const auth of [
    { ...token, ...bad },
    { method: 'gcp', role: 'r', credentials_json: 'canary' },
  ])
    expect(JSON.stringify(problems({ address: 'https://v', auth }))).not.toMatch(/canary|nonsense/);
});

test('the machine’s own identity is used where no other is given', () => {
  const ambient = (auth: object) => hashicorp.ambient?.(hashicorp.configSchema.parse({ address: 'https://v', auth }));
  expect(ambient({ method: 'aws' })).toEqual(['aws']);
  expect(ambient({ method: 'aws', access_key_id: 'a', secret_access_key: 's' })).toEqual([]);
  expect(ambient({ method: 'gcp', role: 'r' })).toEqual(['gcp']);
  expect(ambient({ method: 'gcp', role: 'r', jwt: 'a.b.c' })).toEqual([]);
  expect(ambient({ method: 'gcp', role: 'r', credentials_json: account })).toEqual([]);
  expect(ambient(token)).toEqual([]);
});

test.for<[string, string, Record<string, unknown>]>([
  ['token', 'hvs.abc\n', { token: 'hvs.abc\n' }],
  ['approle', 'secret-id', { secret_id: 'secret-id' }],
  ['approle', '{"role_id":"r","secret_id":"s"}', { role_id: 'r', secret_id: 's' }],
  ['kubernetes', 'a.b.c', { jwt: 'a.b.c' }],
  ['jwt', 'a.b.c', { jwt: 'a.b.c' }],
  ['gcp', account, { credentials_json: account }],
  ['gcp', '{"jwt":"a.b.c"}', { jwt: 'a.b.c' }],
  ['aws', '{"access_key_id":"a","secret_access_key":"s"}', { access_key_id: 'a', secret_access_key: 's' }],
])('a document of credentials gives the members of %s', ([method, text, members]) => {
  expect(hashicorp.credentials(method, text)).toEqual(members);
});

test.for([
  ['aws', 'canary'],
  ['cert', 'canary'],
  ['token', '{"token":"canary"'],
  ['token', '\n'],
])('a document that gives no members of %s is refused without a part of it', ([method, text]) => {
  const failure = expect.objectContaining({ code: 'config_invalid', message: expect.not.stringContaining('canary') });
  expect(() => hashicorp.credentials(String(method), String(text))).toThrow(failure);
});

const page = readFileSync(new URL('../../../docs/backends/hashicorp.md', import.meta.url), 'utf8');
const referred = {
  'env.VAULT_CLIENT_CERT': pair.client_cert,
  'env.VAULT_CLIENT_KEY': pair.client_key,
  'env.SYNC_SERVICE_ACCOUNT': account,
};

test.each([...page.matchAll(/```jsonc\n(.*?)```/gs)].map(([, json]) => String(json)))(
  'example %# of the page that refers to PEM or a service account is accepted with what it refers to',
  (json) => {
    const example = JSON.parse(
      json,
      (_name, value) => Object.entries(referred).find(([name]) => name === value)?.[1] ?? value,
    );
    expect(parse(example)).toMatchObject({ success: true });
  },
);

test('the page shows an example of each method, and the policies', () => {
  for (const method of ['token', 'approle', 'kubernetes', 'jwt', 'cert', 'aws', 'gcp'])
    expect(page).toContain(`"method": "${method}"`);
  const shown = page.replaceAll(/^ {3}/gm, '');
  for (const policy of Object.values(hashicorp.policies)) expect(shown).toContain(policy);
});

test('the settings can be told as JSON schema', async () => {
  const { z } = await import('zod');
  expect(z.toJSONSchema(hashicorp.configSchema, { io: 'input' })).toMatchObject({ type: 'object' });
});
