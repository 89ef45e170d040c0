import { SecretValue } from '@keyferry/core';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startBench } from './azure-bench.ts';
import { failureOf, listAll, patient, readOne } from './support.ts';

// Alone in its file: the variable is read once, when the SDK is first imported.
test('the SDK’s own log, where an operator wants it, holds no value, no token and no client secret', async () => {
  vi.stubEnv('AZURE_LOG_LEVEL', 'verbose');
  const written: string[] = [];
  const keep = (...parts: unknown[]) => written.push(parts.map(String).join(' ')) > 0;
  const spies = [
    vi.spyOn(process.stderr, 'write').mockImplementation(keep),
    vi.spyOn(process.stdout, 'write').mockImplementation(keep),
    vi.spyOn(console, 'error').mockImplementation(keep),
  ];
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
  });
  const { vault, connect, clientSecret } = await startBench();
  vault.secrets.put('a', 'canary-read');
  const backend = await connect();
  await readOne(backend, 'a');
  await listAll(backend);
  const value = SecretValue.fromText('canary-written');
  await backend.put('b', value, { idempotencyKey: crypto.randomUUID() }, patient);
  for (const effect of [{ kind: 'cut' }, { kind: 'status', status: 400, body: 'canary' }] as const) {
    const fault = vault.faults.inject({ operation: 'GetSecret', effect });
    await failureOf(readOne(backend, 'a'));
    fault.remove();
  }
  const log = written.join('\n');
  expect(log).toMatch(/azure:/);
  expect(log).not.toMatch(/canary|eyJ[\w-]+\./);
  expect(log).not.toContain(clientSecret);
});
