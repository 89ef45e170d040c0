import { afterAll, beforeAll, expect, test } from 'vitest';
import { document, keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';

const cleanup = new AsyncDisposableStack();
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  ({ env } = await startServices(cleanup));
});
afterAll(() => cleanup.disposeAsync());

const cli = (...args: string[]) => keyferry(args, env);

test('a data key is rotated and rewrapped, and its state is told, to people and to machines', async () => {
  const rotated = document(await cli('keys', 'rotate', '--json'));
  expect(rotated).toMatchObject({ id: expect.any(String), retired: expect.any(String) });
  const rewrapped = await cli('keys', 'rewrap');
  expect(rewrapped).toMatchObject({ code: 0, stdout: expect.stringContaining('1 retired data key kept for now') });
  const told = await cli('keys', 'encryption');
  expect(told).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('A rewrap has something to do for 1 tenant.'),
  });
  expect(told.stdout).toMatch(new RegExp(`${rotated.retired} +values +retired`));
  expect(told.stdout).toMatch(/local +current +3/);
  expect(document(await cli('keys', 'encryption', '--tenant', 'default', '--json')).data_keys).toHaveLength(3);
});

test('a tenant that isn’t there is refused', async () => {
  for (const command of ['rotate', 'rewrap', 'encryption']) {
    const { code, stderr } = await cli('keys', command, '--tenant', 'nobody');
    expect(code).not.toBe(0);
    expect(stderr).toContain('There is no tenant "nobody".');
  }
});
