import { readFileSync } from 'node:fs';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { document, keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';
import { newTeam, optionsOf } from './support/team.ts';

/** Tenants on the command line. */

const page = readFileSync(new URL('../../../docs/tenants.md', import.meta.url), 'utf8');
const cleanup = new AsyncDisposableStack();
let env: NodeJS.ProcessEnv;
let vault: VaultEmulator;

beforeAll(async () => {
  vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  ({ env } = await startServices(cleanup));
});
afterAll(() => cleanup.disposeAsync());

const cli = (...args: string[]) => keyferry(args, env);

test('docs/tenants.md can be followed from its first command to its last', async () => {
  const lines = [...page.matchAll(/^\$ keyferry (.+)$/gm)].map(([, line]) => String(line));
  // The last ones are for a tenant that has keys.
  const last = lines.findIndex((line) => line.startsWith('tenant delete'));
  expect(last).toBeGreaterThan(7);
  for (const line of lines.slice(0, last))
    expect([line, await cli(...line.split(' '))]).toMatchObject([line, { code: 0 }]);
  const team = newTeam(vault);
  vault.kv(team).put(`${team}/openai`, { value: 'sk-openai' });
  expect(await cli('backend', 'add', team, ...optionsOf(vault, team), '--tenant', 'acme')).toMatchObject({ code: 0 });
  expect(await cli('sync', team, '--wait', '--tenant', 'acme')).toMatchObject({ code: 0 });
  for (const line of lines.slice(last))
    expect([line, await cli(...line.split(' '))]).toMatchObject([line, { code: 0 }]);
  const gone = document(await cli('tenant', 'list', '--state', 'deleted', '--json')).items;
  expect(gone).toMatchObject([{ name: 'acme', state: 'deleted', max_backends: null, max_keys: 50_000 }]);
});

describe('a tenant', () => {
  test('is shown with what it may have and has, and is what --tenant and KEYFERRY_TENANT say', async () => {
    const made = await cli('tenant', 'create', 'one', '--max-keys', '3');
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining('--tenant one') });
    expect(made.stdout).toMatch(/keys +0 of 3/);
    const team = newTeam(vault);
    await cli('backend', 'add', team, ...optionsOf(vault, team), '--tenant', 'one');
    const named = { ...env, KEYFERRY_TENANT: 'one' };
    expect((await keyferry(['backend', 'list'], named)).stdout).toContain(team);
    expect((await cli('backend', 'list')).stdout).not.toContain(team);
    // What is said closer goes first.
    expect((await keyferry(['backend', 'list', '--tenant', 'default'], named)).stdout).not.toContain(team);
    expect((await cli('tenant', 'list')).stdout).toMatch(/one +[0-9a-f-]{36} +active/);
  });

  test('is named by the commands that are told to come next', async () => {
    await cli('tenant', 'create', 'three');
    const made = await cli('identity', 'create', 'ci', '--tenant', 'three');
    expect(made.stderr).toContain('`keyferry token create ci --tenant three`');
    expect((await cli('identity', 'create', 'ci')).stderr).toContain('`keyferry token create ci`');
  });

  test('that is deleted is named by its id, by which its audit log is read', async () => {
    await cli('tenant', 'create', 'four');
    const { stdout } = await cli('tenant', 'delete', 'four', '--yes');
    const [, line = ''] = /`keyferry (audit list --tenant [0-9a-f-]{36})`/.exec(stdout) ?? [];
    expect(await cli(...line.split(' '))).toMatchObject({ code: 0, stdout: expect.stringContaining('tenant.deleted') });
  });

  test('is managed by operators, which whoever is none is told', async () => {
    await cli('identity', 'create', 'clerk', '--scope', 'settings');
    const { stdout } = await cli('token', 'create', 'clerk');
    const refused = await keyferry(['tenant', 'list'], { ...env, KEYFERRY_TOKEN: stdout.trim() });
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('Only operators may do this.') });
  });

  test('that there isn’t, or no name, is said so in one line', async () => {
    expect(await cli('backend', 'list', '--tenant', 'nobody')).toMatchObject({
      code: expect.any(Number),
      stderr: expect.stringContaining('tenant_not_found'),
    });
    expect(await cli('backend', 'list', '--tenant', 'nöbody')).toMatchObject({
      stderr: expect.stringContaining('tenant_not_found'),
    });
    for (const args of [
      ['backend', 'list', '--tenant', ''],
      ['tenant', 'limit', 'default', '--max-keys', 'many'],
      ['tenant', 'limit', 'default'],
      ['tenant', 'suspend', 'default'],
    ])
      expect([args, (await cli(...args)).code]).toEqual([args, 2]);
  });

  test('is suspended and kept by a person’s word', async () => {
    await cli('tenant', 'create', 'two');
    expect((await cli('tenant', 'suspend', 'two', '--yes')).stdout).toContain('keyferry tenant resume two');
    const refused = await cli('sync', 'x', '--tenant', 'two');
    expect(refused.stderr).toContain('tenant_suspended');
    expect((await cli('tenant', 'resume', 'two')).stdout).toContain('goes on');
    const rejected = await cli('tenant', 'reject-deletion', 'two');
    expect(rejected.stderr).toContain('tenant_outdated');
  });
});
