import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { document, keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';
import { newTeam, optionsOf } from './support/team.ts';

const cleanup = new AsyncDisposableStack();
let vault: VaultEmulator;
let env: NodeJS.ProcessEnv;
let ownerUrl: string;

beforeAll(async () => {
  vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  const services = await startServices(cleanup);
  ({ env } = services);
  ({ ownerUrl } = services.database);
});
afterAll(() => cleanup.disposeAsync());

const cli = (...args: string[]) => keyferry(args, env);
const put = (path: string, value: string) => vault.kv(name).put(`${name}/${path}`, { value });

/** Each test has a backend of its own, with two keys in conflict. */
let name: string;
beforeEach(async () => {
  name = newTeam(vault);
  for (const path of ['a', 'b']) put(path, '1');
  const added = await cli('backend', 'add', name, ...optionsOf(vault, name), '--conflict-policy', 'manual');
  expect(added, added.stderr).toMatchObject({ code: 0 });
  await cli('sync', name, '--wait');
  await asAdmin(ownerUrl, (client) =>
    client.query("UPDATE keyferry.keys SET local_digest = sha256('ours') WHERE starts_with(local_path, $1)", [
      `${name}/`,
    ]),
  );
  put('a', '2');
  vault.kv(name).deleteMetadata(`${name}/b`);
  await cli('sync', name, '--wait');
});

test('conflicts are listed with both sides', async () => {
  const { code, stdout } = await cli('conflicts', 'list', name);
  expect(code).toBe(0);
  expect(stdout).toMatch(/HERE +MADE +IN THE VAULT/);
  expect(stdout).toMatch(new RegExp(`${name}/a +version 1, of the vault .* 2 `));
  expect(stdout).toMatch(new RegExp(`${name}/b .* gone `));
  expect(document(await cli('conflicts', 'list', name, '--json')).items).toHaveLength(2);
  expect((await cli('sync', name, '--wait')).stdout + (await cli('cycles', 'list', '--limit', '1')).stdout).toContain(
    'conflicts removed',
  );
});

test('a side is kept at a person’s word, of those that are named or of all', async () => {
  const asked = await cli('conflicts', 'resolve', name, `${name}/a`, `${name}/b`, '--keep', 'remote');
  expect(asked).toMatchObject({ code: 2, stdout: '' });
  expect(asked.stderr).toContain('Keep what the vault has of 2 keys?');
  const all = await cli('conflicts', 'resolve', name, '--all', '--keep', 'local');
  expect(all).toMatchObject({ code: 2, stdout: '' });
  expect(all.stderr).toContain(`In conflict:\n  ${name}/a\n  ${name}/b`);

  const resolved = await cli('conflicts', 'resolve', name, `${name}/a`, '--keep', 'remote', '--yes');
  expect(resolved).toMatchObject({ code: 0, stderr: '' });
  expect(resolved.stdout).toContain('What the vault has is kept of 1 key. The cycle ');
  await cli('sync', name, '--wait');
  const rest = document(await cli('conflicts', 'resolve', name, '--all', '--keep', 'local', '--yes', '--json'));
  expect(rest).toMatchObject({ keep: 'local', paths: [`${name}/b`] });
  await cli('sync', name, '--wait');
  expect((await cli('conflicts', 'list', name)).stdout).toBe('Nothing is in conflict.\n');
});

test.each([
  [['--keep', 'local', '--yes'], 2, 'usage_invalid'],
  [['x', '--all', '--keep', 'local', '--yes'], 2, 'usage_invalid'],
  [['x', '--yes'], 2, 'keep'],
  [['x', '--keep', 'both'], 2, 'local, remote'],
  [['x', '--keep', 'local', '--yes'], 1, 'conflict_not_found'],
])('resolve %j ends with exit code %i and says %s', async (args, code, word) => {
  const refused = await cli('conflicts', 'resolve', name, ...args);
  expect(refused).toMatchObject({ code, stdout: '' });
  expect(refused.stderr).toContain(word);
});
