import { inspect } from 'node:util';
import { SecretValue } from '@keyferry/core';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startBench } from './gcp-bench.ts';
import { patient, readOne } from './support.ts';

// Alone in its file: the variables are read once, when the SDK is first imported.
test('the SDK’s own log, which shows values and tokens, stays silent', async () => {
  vi.stubEnv('GOOGLE_SDK_NODE_LOGGING', 'all');
  const written: string[] = [];
  const spies = (['error', 'log', 'warn', 'info', 'debug'] as const).map((method) =>
    vi.spyOn(console, method).mockImplementation((...told) => void written.push(inspect(told))),
  );
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
  });
  const { vault, secrets, connect } = await startBench();
  secrets.put('a', 'canary-value');
  const backend = await connect();
  await readOne(backend, 'a');
  await backend.put('b', SecretValue.fromText('canary-value'), { idempotencyKey: crypto.randomUUID() }, patient);
  vault.faults.inject({ operation: 'AccessSecretVersion', effect: { kind: 'reset' } });
  await readOne(backend, 'a').catch(() => {});
  expect(written).toEqual([]);
});
