import { expect, onTestFinished, test, vi } from 'vitest';
import { startBench } from './harness.ts';
import { readOne } from './support.ts';

// Alone in its file: the variable is read once, when node-vault is first imported.
test('node-vault’s own log, which holds secrets, stays silent', async () => {
  vi.stubEnv('DEBUG', 'node-vault');
  const written: string[] = [];
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => written.push(String(chunk)) > 0);
  onTestFinished(() => {
    spy.mockRestore();
    vi.unstubAllEnvs();
  });
  const { vault, connect } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'canary-value' });
  await readOne(await connect(), 'a');
  expect(written).toEqual([]);
});
