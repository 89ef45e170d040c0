import { expect, onTestFinished, test, vi } from 'vitest';
import { startBench } from './azure-bench.ts';
import { readOne } from './support.ts';

// Alone in its file: the SDK looks once in a process for where a machine's identity is to be had.
test('an App Service’s identity is had where its environment says, with the header that it gives', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('a', 'x');
  const { clientId } = vault.applications.registerManaged({ byDefault: true });
  vi.stubEnv('IDENTITY_ENDPOINT', `${vault.url}/msi/token`);
  vi.stubEnv('IDENTITY_HEADER', vault.identityHeader);
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const auth of [{ method: 'managed_identity' }, { method: 'managed_identity', client_id: clientId }]) {
    const backend = await connect({ auth, authority_host: undefined });
    expect((await readOne(backend, 'a')).value.reveal().toString()).toBe('x');
  }
});
