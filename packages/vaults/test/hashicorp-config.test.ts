import { expect, test } from 'vitest';
import { hashicorp } from '../src/hashicorp/index.ts';

const token = { method: 'token', token: 't' };
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

test('the settings can be told as JSON schema', async () => {
  const { z } = await import('zod');
  expect(z.toJSONSchema(hashicorp.configSchema, { io: 'input' })).toMatchObject({ type: 'object' });
});
