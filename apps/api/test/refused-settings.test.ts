import { generateKeyPairSync } from 'node:crypto';
import { createTestCertificate } from '@keyferry/emulators';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** Settings that can't be used are refused when a backend is made, by the field and with what to do, for every kind. */

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const token = { method: 'token', token: 'canary' };
const staticKeys = { method: 'static', access_key_id: 'AKIAEXAMPLE', secret_access_key: 'canary' };
const ids = { tenant_id: '11111111-2222-4333-8444-555555555555', client_id: '21111111-2222-4333-8444-555555555555' };
const clientSecret = { method: 'client_secret', ...ids, client_secret: 'canary' };
const hashicorp = 'https://vault.example.com:8200';
const azure = 'https://team.vault.azure.net';
const account = (members: object) => ({ method: 'service_account', credentials_json: JSON.stringify(members) });
const otherKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
});
const { certificate: cert } = createTestCertificate('keyferry', ['localhost'], 'rsa');

test.for([
  // unknown and missing fields
  ['hashicorp', { address: hashicorp, adress: 'x', auth: token }, 'adress'],
  ['hashicorp', { auth: token }, 'address'],
  ['hashicorp', { address: hashicorp, auth: { method: 'jwt', jwt: 'x' } }, 'auth.role'],
  ['aws', { region: 'eu-west-1', regoin: 'x', auth: staticKeys }, 'regoin'],
  ['aws', { region: 'eu-west-1', auth: { method: 'static', access_key_id: 'AKIAEXAMPLE' } }, 'auth.secret_access_key'],
  ['gcp', { auth: account({}) }, 'project_id'],
  ['azure', { auth: clientSecret }, 'vault_url'],
  ['azure', { vault_url: azure, auth: { method: 'client_secret', ...ids } }, 'auth.client_secret'],
  // a method that there isn't, and two at once
  ['hashicorp', { address: hashicorp, auth: { method: 'oidc' } }, 'auth.method'],
  ['hashicorp', { address: hashicorp, auth: { ...token, role_id: 'r' } }, 'role_id'],
  ['aws', { region: 'eu-west-1', auth: { ...staticKeys, token: 'x' } }, 'token'],
  ['azure', { vault_url: azure, auth: { ...clientSecret, token: 'x' } }, 'token'],
  ['gcp', { project_id: 'team-1234', auth: { method: 'metadata_server', credentials_json: '{}' } }, 'credentials_json'],
  // a region that doesn't exist, and an ARN where a name belongs
  ['aws', { region: 'europe-west', auth: staticKeys }, 'region'],
  ['aws', { region: 'arn:aws:iam::111122223333:role/x', auth: staticKeys }, 'region'],
  ['aws', { region: 'eu-west-1', auth: { ...staticKeys, role_arn: 'keyferry' } }, 'auth.role_arn'],
  [
    'aws',
    { region: 'eu-west-1', auth: { ...staticKeys, access_key_id: 'arn:aws:iam::111122223333:user/x' } },
    'auth.access_key_id',
  ],
  // a malformed key file
  [
    'gcp',
    { project_id: 'team-1234', auth: { method: 'service_account', credentials_json: '{"type":' } },
    'credentials_json',
  ],
  ['gcp', { project_id: 'team-1234', auth: account({ type: 'service_account' }) }, 'credentials_json'],
  [
    'gcp',
    {
      project_id: 'team-1234',
      auth: account({ type: 'service_account', client_email: 'a@example.com', private_key: 'canary' }),
    },
    'private_key',
  ],
  // plain http to another host
  ['hashicorp', { address: 'http://vault.example.com:8200', auth: token }, 'address'],
  ['aws', { region: 'eu-west-1', endpoint: 'http://aws.example.com', auth: staticKeys }, 'endpoint'],
  ['gcp', { project_id: 'team-1234', endpoint: 'http://gcp.example.com', auth: { method: 'default' } }, 'endpoint'],
  ['azure', { vault_url: 'http://team.vault.azure.net', auth: clientSecret }, 'vault_url'],
  // a certificate whose key doesn't match
  [
    'hashicorp',
    { address: hashicorp, auth: { method: 'cert', client_cert: cert, client_key: otherKey } },
    'client_key',
  ],
  [
    'azure',
    { vault_url: azure, auth: { method: 'certificate', ...ids, certificate: cert, private_key: otherKey } },
    'private_key',
  ],
] as const)('%s, case %#, is refused by the field $2', async ([kind, config, field]) => {
  const { status, body } = await api.call('POST', '/v1/federation/backends', { name: 'refused', kind, config });
  expect(status).toBe(400);
  expect(body.error.code).toBe('config_invalid');
  expect(body.error.message).toContain(field);
  expect(JSON.stringify(body)).not.toContain('canary');
  expect(await api.query('SELECT name FROM keyferry.backends')).toEqual([]);
});

test.for([
  ['aws', { region: 'eu-west-1', auth: { method: 'instance' } }, 'aws'],
  ['aws', { region: 'eu-west-1', auth: { method: 'default' } }, 'aws'],
  ['gcp', { project_id: 'team-1234', auth: { method: 'metadata_server' } }, 'gcp'],
  ['azure', { vault_url: azure, auth: { method: 'managed_identity' } }, 'azure'],
  ['hashicorp', { address: hashicorp, auth: { method: 'aws', role: 'keyferry' } }, 'aws'],
] as const)(
  '%s with %j needs the operator’s word, since the identity is the machine’s',
  async ([kind, config, cloud]) => {
    const { status, body } = await api.call('POST', '/v1/federation/backends', { name: 'ambient', kind, config });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code: 'reference_refused', message: expect.stringContaining(cloud) });
    expect(body.error.action).toContain('KEYFERRY_ALLOWED_IDENTITIES');
  },
);
