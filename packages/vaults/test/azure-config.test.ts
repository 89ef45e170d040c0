import { KeyferryError } from '@keyferry/core';
import { createTestCertificate } from '@keyferry/emulators';
import { expect, test } from 'vitest';
import { authorityOf } from '../src/azure/clouds.ts';
import { azure } from '../src/azure/index.ts';

const guid = '72f988bf-86f1-41af-91ab-2d7cd011db47';
const application = { tenant_id: guid, client_id: guid };
const clientSecret = { method: 'client_secret', ...application, client_secret: 'canary' };
const settings = (parts: object = {}) => ({ vault_url: 'https://team.vault.azure.net', auth: clientSecret, ...parts });

/** Fields and messages of a refusal; empty where the settings are taken. */
function refusal(parts: object): string {
  const { error } = azure.configSchema.safeParse(settings(parts));
  const told = (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n');
  expect(told).not.toMatch(/canary|PRIVATE KEY-----/);
  return told;
}

test('settings of each method are taken with what they leave out', () => {
  const { certificate, privateKey } = createTestCertificate('keyferry', [], 'rsa');
  const methods = [
    clientSecret,
    { method: 'certificate', ...application, certificate: certificate + privateKey },
    { method: 'certificate', ...application, certificate: privateKey + certificate, send_chain: true },
    { method: 'certificate', ...application, certificate, private_key: privateKey },
    { method: 'workload_identity', ...application },
    { method: 'workload_identity', ...application, token: 'a.b.c' },
    { method: 'managed_identity' },
    { method: 'managed_identity', client_id: guid },
    { method: 'managed_identity', resource_id: '/subscriptions/x/resourceGroups/y' },
    { method: 'default' },
  ];
  for (const auth of methods) expect(refusal({ auth }), auth.method).toBe('');
  expect(azure.configSchema.parse(settings())).toMatchObject({ separator: '--', allow_http: false });
});

test('an address that is no vault’s is refused with what it should be', () => {
  const cases: [string, RegExp][] = [
    ['https://team.managedhsm.azure.net', /managed HSM, which holds keys and no secrets/],
    ['https://team.vault.azure.net/secrets/a', /vault_url must end with the host/],
    ['https://team.vault.azure.net?x=1', /query/],
    ['team.vault.azure.net', /vault_url must be a URL such as https:\/\/team\.vault\.azure\.net/],
    ['http://team.vault.azure.net', /vault_url is not encrypted/],
  ];
  for (const [vault_url, expected] of cases) expect(refusal({ vault_url }), vault_url).toMatch(expected);
  expect(azure.configSchema.parse(settings({ vault_url: 'https://team.vault.azure.net/' })).vault_url).toBe(
    'https://team.vault.azure.net',
  );
});

test('the place of logins follows from the vault’s cloud, unless it is given', () => {
  expect(authorityOf('https://team.vault.azure.net', undefined)).toBe('https://login.microsoftonline.com');
  expect(authorityOf('https://team.vault.azure.cn', undefined)).toBe('https://login.partner.microsoftonline.cn');
  expect(authorityOf('https://team.vault.usgovcloudapi.net', undefined)).toBe('https://login.microsoftonline.us');
  expect(authorityOf('https://kv.example.com', undefined)).toBe('https://login.microsoftonline.com');
  expect(authorityOf('https://kv.example.com', 'https://login.example.com:8443')).toBe(
    'https://login.example.com:8443',
  );
  expect(refusal({ authority_host: 'http://127.0.0.1:8080' })).toMatch(/authority_host must begin with https/);
  expect(refusal({ authority_host: 'https://login.example.com/tenant' })).toMatch(
    /authority_host must end with the host/,
  );
});

test('the operator’s own identity logs in at no address of the settings but Microsoft’s', () => {
  for (const method of ['default', 'managed_identity']) {
    const told = (authority_host: string) => refusal({ auth: { method }, authority_host });
    for (const host of ['https://login.example.com', 'https://login.microsoftonline.com.example.com'])
      expect(told(host)).toMatch(/authority_host: authority_host is not Microsoft’s.*AZURE_AUTHORITY_HOST/);
    expect(told('https://login.microsoftonline.us')).toBe('');
  }
  expect(refusal({ authority_host: 'https://login.example.com' })).toBe('');
});

test('ids that are none are refused by their field, with what they are called in the portal', () => {
  const withAuth = (parts: object) => refusal({ auth: { ...clientSecret, ...parts } });
  expect(withAuth({ client_id: 'keyferry' })).toMatch(
    /auth\.client_id: client_id must be the application’s \(client\) id/,
  );
  expect(withAuth({ tenant_id: 'not a tenant' })).toMatch(/auth\.tenant_id: tenant_id must be the directory’s GUID/);
  expect(withAuth({ tenant_id: 'contoso.onmicrosoft.com' })).toBe('');
  expect(withAuth({ client_secret: ' \n' })).toMatch(/client_secret must not be empty/);
});

test('a certificate that can’t be used is refused by its field', () => {
  const own = createTestCertificate('keyferry', [], 'rsa');
  const other = createTestCertificate('other', [], 'rsa');
  const elliptic = createTestCertificate('elliptic', [], 'ec');
  const told = (certificate: string, private_key?: string) =>
    refusal({ auth: { method: 'certificate', ...application, certificate, ...(private_key && { private_key }) } });
  expect(told(own.certificate)).toMatch(/auth\.private_key: private_key is missing/);
  expect(told(own.certificate, other.privateKey)).toMatch(/auth\.private_key: private_key does not belong/);
  expect(told(own.certificate + other.privateKey)).toMatch(/auth\.certificate: certificate does not belong/);
  expect(told(elliptic.certificate + elliptic.privateKey)).toMatch(/certificate must have an RSA key/);
  expect(told('/etc/keyferry/certificate.pem')).toMatch(/must be PEM text, not a file name/);
  expect(told('-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----')).toMatch(/no PEM of a certificate/);
});

test('a machine’s identity is named once', () => {
  const auth = { method: 'managed_identity', client_id: guid, object_id: guid };
  expect(refusal({ auth })).toMatch(/auth\.object_id: object_id names the identity a second time/);
});

test('a separator that no name can have is refused', () => {
  for (const separator of ['/', '_', '.', 'x'.repeat(9)])
    expect(refusal({ separator }), separator).toMatch(/separator/);
  for (const separator of ['', '-', '--', 'SLASH']) expect(refusal({ separator }), separator).toBe('');
});

test('files and identities of the operator’s are told', () => {
  const parse = (auth: object) => azure.configSchema.parse(settings({ auth }));
  const projected = '/var/run/secrets/azure/tokens/azure-identity-token';
  expect(azure.files?.(parse({ method: 'workload_identity', ...application }))).toEqual([projected]);
  expect(azure.files?.(parse({ method: 'workload_identity', ...application, token: 'a.b.c' }))).toEqual([]);
  expect(azure.ambient?.(parse({ method: 'managed_identity' }))).toEqual(['azure']);
  expect(azure.ambient?.(parse({ method: 'default' }))).toEqual(['azure']);
  expect(azure.ambient?.(parse(clientSecret))).toEqual([]);
});

test('credentials come under our names, the SDKs’ and those of az, or as they are', () => {
  const { certificate, privateKey } = createTestCertificate('keyferry', [], 'rsa');
  const read = (method: string, document: object | string) =>
    azure.credentials(method, typeof document === 'string' ? document : JSON.stringify(document));
  const expected = { tenant_id: 't', client_id: 'c', client_secret: 's' };
  expect(read('client_secret', expected)).toEqual(expected);
  expect(read('client_secret', { appId: 'c', displayName: 'x', password: 's', tenant: 't' })).toEqual(expected);
  expect(read('client_secret', { clientId: 'c', clientSecret: 's', tenantId: 't', subscriptionId: 'x' })).toEqual(
    expected,
  );
  expect(read('client_secret', 'the~secret\n')).toEqual({ client_secret: 'the~secret\n' });
  expect(read('certificate', certificate + privateKey)).toEqual({ certificate: certificate + privateKey });
  expect(read('workload_identity', 'eyJh.eyJp.c2ln')).toEqual({ token: 'eyJh.eyJp.c2ln' });
});

test('a document without credentials of the method is refused without a part of it', () => {
  const refused: [string, string][] = [
    ['client_secret', ''],
    ['client_secret', '{"canary":'],
    ['client_secret', '{"canary": 1}'],
    ['certificate', 'canary'],
    ['workload_identity', 'canary'],
    ['managed_identity', 'canary'],
    ['default', '{}'],
  ];
  for (const [method, text] of refused) {
    const told = () => azure.credentials(method, text);
    expect(told, `${method} ${text}`).toThrow(KeyferryError);
    expect(told).not.toThrow(/canary/);
  }
});
