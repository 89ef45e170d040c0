import { parseEgress } from '@keyferry/egress';
import { startAwsEmulator, startAzureEmulator, startGcpEmulator } from '@keyferry/emulators';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { noKeys, patient, startPool, startVault } from './harness.ts';

/**
 * Emulators are at 127.0.0.1, which is allowed. By the name `localhost`, which is not, the machine's own identity is had: as on
 * a machine in a cloud, where no setting leads to what gives it.
 */

afterEach(() => void vi.unstubAllEnvs());

const local = (url: string) => url.replace('127.0.0.1', 'localhost');

async function probe(kind: string, settings: Record<string, unknown>): Promise<unknown> {
  const pool = startPool({}, {}, [], [], {
    allowedVaults: parseEgress('127.0.0.1'),
    allowedIdentities: ['aws', 'gcp', 'azure'],
  });
  const backend = { id: kind, kind, fingerprint: '1', keys: noKeys, settings: () => settings };
  try {
    const connection = await pool.open(backend, patient);
    onTestFinished(() => connection.close());
    return await connection.probe(patient);
  } catch (error) {
    return error;
  }
}

const refused = { code: 'egress_refused', failureClass: 'invalid' };

test('an address that is allowed is reached, and the name that leads there is not', async () => {
  const vault = await startVault();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const auth = { method: 'token', token: vault.rootToken };
  expect(await probe('hashicorp', { address: vault.url, auth })).toMatchObject({ container: 'present' });
  expect(await probe('hashicorp', { address: local(vault.url), auth })).toMatchObject(refused);
});

test('the identity of a machine at AWS is had beside the policy, and roles are taken on within it', async () => {
  const vault = await startAwsEmulator();
  onTestFinished(() => vault.close());
  const role = vault.identities.createRole('machine', { statements: [{ actions: ['*'] }], trust: {} });
  vault.setInstanceRole(role);
  vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', `${local(vault.url)}/`);
  const settings = { region: vault.region, endpoint: vault.url, sts_endpoint: vault.url, auth: { method: 'instance' } };
  expect(await probe('aws', settings)).toMatchObject({ container: 'present' });
  expect(await probe('aws', { ...settings, sts_endpoint: local(vault.url), endpoint: local(vault.url) })).toMatchObject(
    refused,
  );
});

test('the identity of a machine at Google is had beside the policy', async () => {
  const vault = await startGcpEmulator();
  onTestFinished(() => vault.close());
  vault.identities.onMachine(vault.owner);
  vi.stubEnv('GCE_METADATA_HOST', new URL(local(vault.url)).host);
  const settings = { project_id: vault.projectId, endpoint: vault.url, auth: { method: 'metadata_server' } };
  expect(await probe('gcp', settings)).toMatchObject({ latencyMs: expect.any(Number) });
  expect(await probe('gcp', { ...settings, endpoint: local(vault.url) })).toMatchObject(refused);
});

test('the identity of a machine at Azure is had beside the policy', async () => {
  const vault = await startAzureEmulator();
  onTestFinished(() => vault.close());
  vault.applications.registerManaged({ byDefault: true });
  vi.stubEnv('AZURE_POD_IDENTITY_AUTHORITY_HOST', local(vault.url));
  const settings = { vault_url: vault.url, auth: { method: 'managed_identity' } };
  expect(await probe('azure', settings)).toMatchObject({ container: 'present' });
  expect(await probe('azure', { ...settings, vault_url: local(vault.url) })).toMatchObject(refused);
});
