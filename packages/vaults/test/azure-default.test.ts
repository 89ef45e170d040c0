import { afterEach, expect, test, vi } from 'vitest';
import { startBench } from './azure-bench.ts';
import { failureOf, patient, readOne } from './support.ts';

const auth = { method: 'default' };

afterEach(() => void vi.unstubAllEnvs());

/** As where the operator says where the machine's own identity logs in. */
async function startMachine() {
  const { vault, connect, ...bench } = await startBench();
  vi.stubEnv('AZURE_AUTHORITY_HOST', vault.authorityUrl);
  return { vault, ...bench, connect: () => connect({ auth, authority_host: undefined }) };
}

test('the default chain takes the credentials of the process’s environment', async () => {
  const { vault, connect, clientId, clientSecret } = await startMachine();
  vault.secrets.put('a', 'x');
  vi.stubEnv('AZURE_TENANT_ID', vault.tenantId);
  vi.stubEnv('AZURE_CLIENT_ID', clientId);
  vi.stubEnv('AZURE_CLIENT_SECRET', clientSecret);
  const backend = await connect();
  expect((await readOne(backend, 'a')).value.reveal().toString()).toBe('x');
});

test('credentials of the environment that are refused, or a directory that is away, are told as such', async () => {
  const { vault, connect, clientId } = await startMachine();
  vi.stubEnv('AZURE_TOKEN_CREDENTIALS', 'EnvironmentCredential');
  vi.stubEnv('AZURE_TENANT_ID', vault.tenantId);
  vi.stubEnv('AZURE_CLIENT_ID', clientId);
  vi.stubEnv('AZURE_CLIENT_SECRET', 'canary');
  const refused = await failureOf((await connect()).probe(patient));
  expect(refused).toMatchObject({ failureClass: 'unauthenticated', message: expect.stringContaining('AADSTS7000215') });
  expect(refused.message).not.toContain('canary');
  vault.faults.inject({ operation: 'Token', effect: { kind: 'reset' } });
  expect(await failureOf((await connect()).probe(patient))).toMatchObject({ failureClass: 'unavailable' });
});

test('a machine that has no identity at all says so', async () => {
  const { connect } = await startMachine();
  vi.stubEnv('AZURE_TOKEN_CREDENTIALS', 'EnvironmentCredential');
  for (const name of ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET']) vi.stubEnv(name, undefined);
  const failure = await failureOf((await connect()).probe(patient));
  expect(failure.message).toBe('Could not log in as this machine: there is no identity that can be used.');
  expect(failure.failureClass).toBe('unauthenticated');
});
