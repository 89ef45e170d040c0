import { startAwsEmulator, startAzureEmulator, startGcpEmulator } from '@keyferry/emulators';
import type { BackendSettings } from '@keyferry/store';
import { type House, openHouse } from '@keyferry/testing/support/house.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { secretText } from '../src/index.ts';
import { type TestReader, testReader } from './harness.ts';

let house: House;
let reader: TestReader;

beforeAll(async () => {
  house = await openHouse();
  reader = testReader(house);
});
afterAll(async () => {
  await reader.close();
  await house.close();
});

const now = () => house.clock.now().getTime();
const binary = Buffer.from([0, 255, 1]);
type Settings = Pick<BackendSettings, 'kind' | 'config' | 'auth'>;

/** A proxied secret of each cloud is read once, and then costs one call a read. */
async function proxied(settings: Settings, requests: { total: number; reset(): void }, path: string) {
  await house.addBackend({ ...settings, mode: 'proxy', sync_paths: [path] });
  await reader.check(house.tenantId);
  await reader.read(house.tenantId, path);
  requests.reset();
  const { secret } = await reader.read(house.tenantId, path);
  expect(requests.total).toBe(1);
  return secretText(secret, null);
}

test('AWS Secrets Manager: one call, and bytes that are no text are base64', async () => {
  await using cleanup = new AsyncDisposableStack();
  const vault = await startAwsEmulator({ now });
  cleanup.defer(() => vault.close());
  vault.secrets.put('aws/a', binary);
  const { accessKeyId: access_key_id, secretAccessKey: secret_access_key } = vault.operator;
  const settings = {
    kind: 'aws',
    config: { region: vault.region, endpoint: vault.url, sts_endpoint: vault.url },
    auth: { method: 'static', access_key_id, secret_access_key },
  };
  const text = await proxied(settings, vault.requests, 'aws/a');
  expect(text).toEqual({ value: binary.toString('base64'), encoding: 'base64' });
});

test('Google Secret Manager: one call', async () => {
  await using cleanup = new AsyncDisposableStack();
  const vault = await startGcpEmulator({ now });
  cleanup.defer(() => vault.close());
  vault.secrets().put('gcp--a', 'one');
  const settings = {
    kind: 'gcp',
    config: { project_id: vault.projectId, endpoint: vault.url },
    auth: { method: 'service_account', credentials_json: vault.identities.keyFile(vault.owner) },
  };
  expect(await proxied(settings, vault.requests, 'gcp/a')).toEqual({ value: 'one', encoding: 'utf8' });
});

test('Azure Key Vault: one call', async () => {
  await using cleanup = new AsyncDisposableStack();
  const vault = await startAzureEmulator({ now });
  cleanup.defer(() => vault.close());
  vault.secrets.put('azure--a', 'one');
  const client_id = vault.applications.register();
  const client_secret = vault.applications.addSecret(client_id);
  const settings = {
    kind: 'azure',
    config: { vault_url: vault.url, authority_host: vault.authorityUrl, tls: { ca_cert: vault.caCert } },
    auth: { method: 'client_secret', tenant_id: vault.tenantId, client_id, client_secret },
  };
  expect(await proxied(settings, vault.requests, 'azure/a')).toEqual({ value: 'one', encoding: 'utf8' });
});
