import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { document, keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';
import { newTeam, optionsOf } from './support/team.ts';

const cleanup = new AsyncDisposableStack();
const canary = 'canary-2f6d-command';
const revokeToken = 'a-token-for-revoking-alone';
let vault: VaultEmulator;
let env: NodeJS.ProcessEnv;
let folder: string;

beforeAll(async () => {
  vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  ({ env, folder } = await startServices(cleanup, { KEYFERRY_REVOKE_TOKEN: revokeToken }));
});

afterAll(() => cleanup.disposeAsync());

/** Each test has a mount and a backend of its own. */
let name: string;
beforeEach(() => {
  name = newTeam(vault);
});

const cli = (...args: string[]) => keyferry(args, env);
/** With the token that may revoke. */
const breaker = (...args: string[]) => keyferry(args, { ...env, KEYFERRY_TOKEN: revokeToken });
const put = (path: string, value: string) => vault.kv(name).put(`${name}/${path}`, { value: `${canary}-${value}` });
const remove = (path: string) => vault.kv(name).deleteMetadata(`${name}/${path}`);
const sync = () => cli('sync', name, '--wait');

async function backendWith(...paths: string[]) {
  for (const path of paths) put(path, '1');
  expect((await cli('backend', 'add', name, ...optionsOf(vault, name))).code).toBe(0);
  expect((await sync()).code).toBe(0);
}

const stateOf = async (path: string) => document(await cli('keys', 'show', `${name}/${path}`, '--json')).state;

describe('revoking', () => {
  test('a path is revoked without a question, and comes back with the sync after it was lifted', async () => {
    await backendWith('a', 'b');
    const revoked = await breaker('keys', 'revoke', `${name}/a`, '--reason', 'leaked');
    expect(revoked).toEqual({ code: 0, stdout: '1 key revoked.\n', stderr: '' });
    await sync();
    expect((await cli('keys', 'list', '--backend', name)).stdout).toMatch(/a +archived \(revoked\)/);
    const lifted = await breaker('keys', 'unrevoke', `${name}/a`, '--reason', 'false alarm');
    expect(lifted).toMatchObject({ code: 0, stdout: expect.stringContaining('1 key no longer revoked.') });
    await sync();
    expect(await stateOf('a')).toBe('active');
  });

  test('a glob shows what it matches and asks first; --dry-run only shows', async () => {
    await backendWith('x/a', 'x/b', 'y');
    const revoke = (...more: string[]) => breaker('keys', 'revoke', `${name}/x/*`, '--reason', 'leaked', ...more);
    const shown = await revoke('--dry-run');
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toContain(`2 keys would be revoked:\n  ${name}/x/a\n  ${name}/x/b`);
    const asked = await revoke();
    expect(asked).toMatchObject({ code: 2, stdout: '' });
    expect(asked.stderr).toContain(`  ${name}/x/b`);
    expect(asked.stderr).toContain('Revoke 2 keys?');
    expect(await stateOf('x/a')).toBe('active');
    expect((await revoke('--yes')).stdout).toBe('2 keys revoked.\n');
    expect(document(await revoke('--yes', '--json'))).toMatchObject({ count: 0, already_revoked: 2 });
    expect(await stateOf('y')).toBe('active');
  });

  test('the ordinary token may not, where there is one for it', async () => {
    await backendWith('a');
    const refused = await cli('keys', 'revoke', `${name}/a`, '--reason', 'leaked');
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toContain('(forbidden)');
    expect(await breaker('sync', name)).toMatchObject({ code: 4 });
  });

  test.each([
    [['keys', 'revoke', 'a'], 2, 'reason'],
    [['keys', 'revoke', 'a', '--reason', ' '], 2, 'request_invalid'],
    [['keys', 'revoke', 'a//b', '--reason', 'x'], 2, 'request_invalid'],
    [['keys', 'revoke', 'a/**b', '--reason', 'x', '--yes'], 2, 'glob_invalid'],
    [['keys', 'revoke', 'not/there', '--reason', 'x'], 1, 'key_not_found'],
    [['keys', 'revoke', 'not/there/*', '--reason', 'x', '--yes'], 1, 'nothing_matches'],
    [['keys', 'unrevoke', 'not/there', '--reason', 'x'], 1, 'key_not_found'],
  ])('%j ends with exit code %i and says %s', async (args, code, word) => {
    const refused = await breaker(...args);
    expect(refused).toMatchObject({ code, stdout: '' });
    expect(refused.stderr).toContain(word);
  });

  test('a glob that matches all that is served says so in its question', async () => {
    await backendWith('a', 'b');
    const asked = await breaker('keys', 'revoke', '**', '--reason', 'the store was read');
    expect(asked).toMatchObject({ code: 2, stdout: '' });
    expect(asked.stderr).toContain('are ALL that are served');
    expect(await stateOf('a')).toBe('active');
    const revoked = await breaker('keys', 'revoke', '**', '--reason', 'the store was read', '--yes', '--json');
    expect(document(revoked)).toMatchObject({ everything: true, dry_run: false });
    expect(await stateOf('a')).toBe('archived');
    expect((await breaker('keys', 'unrevoke', '**', '--reason', 'a drill')).code).toBe(0);
  });
});

test('versions are listed, and an earlier one is served again at a person’s word', async () => {
  await backendWith('a');
  put('a', '2');
  await sync();
  const history = await cli('keys', 'history', `${name}/a`);
  expect(history.stdout).toMatch(/2 +current +vault/);
  expect(history.stdout).toMatch(/1 +- +vault/);
  const asked = await cli('keys', 'rollback', `${name}/a`, '--to', '1');
  expect(asked).toMatchObject({ code: 2, stdout: '' });
  expect(asked.stderr).toContain('from version 2 to the value of version 1?');
  const rolledBack = await cli('keys', 'rollback', `${name}/a`, '--to', '1', '--yes', '--reason', 'it fails');
  expect(rolledBack).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('version 3 has the value of version 1'),
  });
  expect((await cli('keys', 'list', '--backend', name)).stdout).toContain('active (rolled back)');
  for (const [to, word, code] of [
    ['9', 'version_gone', 1],
    ['3', 'nothing_to_roll_back', 1],
    ['one', 'whole number', 2],
  ] as const) {
    const refused = await cli('keys', 'rollback', `${name}/a`, '--to', to, '--yes');
    expect(refused.code).toBe(code);
    expect(refused.stderr).toContain(word);
  }
});

test('a key that is gone from the vault is restored from its backup at a person’s word', async () => {
  await backendWith('a', 'b');
  remove('a');
  await sync();
  expect(await stateOf('a')).toBe('deprecated');
  const list = ['backups', 'list', '--path', `${name}/a`];
  expect((await cli(...list)).stdout).toContain(`${name}/a`);
  const [{ id }] = document(await cli(...list, '--json')).items;
  expect(await cli('backups', 'restore', id)).toMatchObject({ code: 2, stdout: '' });
  expect(await cli('backups', 'restore', id, '--yes')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('is active again, at version 1.'),
  });
  await sync();
  expect((await cli('keys', 'list', '--backend', name)).stdout).toMatch(/a +active \(kept\)/);
  const again = await cli('backups', 'restore', id, '--yes');
  expect(again.code).toBe(1);
  expect(again.stderr).toContain('(restore_taken)');
});

test('what is wrong with keys is shown in the list, and explained with all that happened', async () => {
  await backendWith('a', 'b');
  const rules = [{ paths: [`${name}/a`], fields: { value: { max_length: 30 } } }];
  const file = join(folder, 'rules.json');
  writeFileSync(file, JSON.stringify({ validation_rules: rules }));
  const changed = await cli('backend', 'update', name, '--config', file);
  expect(changed.stderr).toBe('');
  put('a', 'x'.repeat(40));
  await sync();
  expect((await cli('keys', 'list', '--backend', name)).stdout).toMatch(/a +active \(INVALID\)/);
  const invalid = await cli('keys', 'list', '--backend', name, '--invalid');
  expect(invalid.stdout).toContain(`${name}/a`);
  expect(invalid.stdout).not.toContain(`${name}/b`);
  expect((await cli('keys', 'list', '--backend', name, '--overdue')).stdout).toBe('There is no such key.\n');
  expect((await cli('keys', 'show', `${name}/a`)).stdout).toMatch(/validation +invalid: .+\(value_too_long\)/);

  await breaker('keys', 'revoke', `${name}/a`, '--reason', 'leaked in a log');
  const explained = await cli('keys', 'explain', `${name}/a`);
  expect(explained).toMatchObject({ code: 0, stderr: '' });
  expect(explained.stdout).toContain(`"${name}/a" is revoked and archived since`);
  expect(explained.stdout).toMatch(/revoked +active → archived +1 +revoke-token +leaked in a log/);
  expect(document(await cli('keys', 'explain', `${name}/a`, '--json'))).toMatchObject({
    state: 'archived',
    rules: { validation: 0 },
  });
  expect(await cli('keys', 'explain', 'not/there')).toMatchObject({ code: 1 });
});

test('no command shows a value', async () => {
  await backendWith('a', 'b');
  put('a', '2');
  remove('b');
  await sync();
  const commands = [
    ['keys', 'list'],
    ['keys', 'show', `${name}/a`],
    ['keys', 'history', `${name}/a`],
    ['keys', 'explain', `${name}/a`],
    ['keys', 'rollback', `${name}/a`, '--to', '1', '--yes'],
    ['backups', 'list'],
  ];
  for (const command of commands)
    for (const more of [[], ['--json']]) {
      const { stdout, stderr } = await cli(...command, ...more);
      expect(`${stdout}${stderr}`, command.join(' ')).not.toContain(canary);
    }
});
