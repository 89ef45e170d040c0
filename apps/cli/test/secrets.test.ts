import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SecretsApi, startSecretsApi } from '@keyferry/testing/support/secrets-api.ts';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { document, keyferry } from './support/command-line.ts';

const canary = 'canary-5b1e-secrets';
const cleanup = new AsyncDisposableStack();
let api: SecretsApi;
let env: NodeJS.ProcessEnv;
let folder: string;

beforeAll(async () => {
  api = cleanup.use(await startSecretsApi());
  const temporary = temporaryFolder('secrets');
  cleanup.defer(temporary.remove);
  folder = temporary.path;
  env = { KEYFERRY_URL: api.url, KEYFERRY_TOKEN: api.token, KEYFERRY_HOME: folder };
});
afterAll(() => cleanup.disposeAsync());

beforeEach(() => {
  api.secrets.clear();
  api.requests.length = 0;
});

const cli = (...args: string[]) => keyferry(args, env);

describe('secrets get', () => {
  test('prints the value and nothing else', async () => {
    api.put('team/key', 'sk-1');
    api.put('team/pair', '{"user":"u","password":"p"}');
    expect(await cli('secrets', 'get', 'team/key')).toEqual({ code: 0, stdout: 'sk-1', stderr: '' });
    expect((await cli('secrets', 'get', 'team/pair', '--field', 'password')).stdout).toBe('p');
    expect(document(await cli('secrets', 'get', 'team/key', '--json'))).toMatchObject({ value: 'sk-1', version: 1 });
    // The command's own version has the same name.
    expect((await cli('secrets', 'get', 'team/key', '--version', '1')).stdout).toBe('sk-1');
  });

  test('says what is not there', async () => {
    const missing = await cli('secrets', 'get', 'not/there');
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toContain('(key_not_found)');
  });
});

test('secrets list prints paths, and no values', async () => {
  api.put('team/a', canary);
  api.put('other/b', canary);
  const all = await cli('secrets', 'list');
  expect(all.stdout).toMatch(/PATH.*\nother\/b +team +sync\nteam\/a/);
  expect(all.stdout).not.toContain(canary);
  expect((await cli('secrets', 'list', 'team/')).stdout).not.toContain('other/b');
  expect((await cli('secrets', 'list', 'none/')).stdout).toBe('There is no such secret.\n');
});

describe('secrets put', () => {
  test('takes the value from standard input, without the newline at its end', async () => {
    const put = await keyferry(['secrets', 'put', 'team/key'], env, `${canary}\n`);
    expect(put).toEqual({ code: 0, stdout: 'team/key is created here, at version 1.\n', stderr: '' });
    expect(api.secrets.get('team/key')?.toString()).toBe(canary);
    expect(api.requests[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    const again = await keyferry(['secrets', 'put', 'team/key', '-', '--json'], env, 'two\nlines\n\n');
    expect(document(again)).toMatchObject({ created: false });
    expect(api.secrets.get('team/key')?.toString()).toBe('two\nlines\n');
  });

  test('takes a file as it is, also one that is no text', async () => {
    const file = join(folder, 'value');
    for (const bytes of [Buffer.from('with a newline\n'), Buffer.from([0xff, 0x00, 0xfe])]) {
      writeFileSync(file, bytes);
      expect((await cli('secrets', 'put', 'team/key', `@${file}`)).code).toBe(0);
      expect(api.secrets.get('team/key')).toEqual(bytes);
    }
    expect((await cli('secrets', 'get', 'team/key', '--json')).stdout).toContain('"base64"');
  });

  test.each([
    ['a value among the arguments, which it does not repeat', [canary], ''],
    ['an empty value', ['-'], '\n'],
    ['a file that is not there', ['@/not/there'], ''],
  ])('refuses %s', async (_, args, stdin) => {
    const refused = await keyferry(['secrets', 'put', 'team/key', ...args], env, stdin);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).not.toContain(canary);
    expect(api.requests).toEqual([]);
  });
});

test('secrets delete asks first', async () => {
  api.put('team/key', 'sk-1');
  const asked = await cli('secrets', 'delete', 'team/key');
  expect(asked).toMatchObject({ code: 2, stdout: '' });
  expect(api.secrets.size).toBe(1);
  const deleted = await cli('secrets', 'delete', 'team/key', '--yes');
  expect(deleted).toEqual({
    code: 0,
    stdout: 'team/key is deleted here; what its vault holds stays.\n',
    stderr: '',
  });
  expect(api.secrets.size).toBe(0);
});

describe('secrets resolve', () => {
  test('prints values in the order of their references', async () => {
    api.put('team/pair', '{"user":"u","password":"p"}');
    const args = ['secrets', 'resolve', 'vault.team/pair#password', 'plain', 'vault.team/pair#user'];
    expect(await cli(...args)).toEqual({ code: 0, stdout: 'p\nplain\nu\n', stderr: '' });
    expect(document(await cli(...args, '--json')).items[0]).toEqual({
      reference: 'vault.team/pair#password',
      value: 'p',
    });
  });

  test('prints no value where one can’t be resolved, and names all of those', async () => {
    api.put('team/key', canary);
    const args = ['secrets', 'resolve', 'vault.team/key', 'vault.not/there', 'env.UNSET'];
    const failed = await cli(...args);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toMatch(/vault\.not\/there: .*\(key_not_found\)\nenv\.UNSET: .*\(reference_unresolved\)\n/);
    const json = await cli(...args, '--json');
    expect(json.code).toBe(1);
    expect(document(json).items[1]).toMatchObject({ reference: 'vault.not/there', error: { code: 'key_not_found' } });
  });
});

test('cache flush tells everybody to read anew', async () => {
  api.put('team/key', 'sk-1');
  expect(await cli('cache', 'flush')).toMatchObject({ code: 0, stdout: expect.stringContaining('Flushed') });
  api.secrets.clear();
  const nothing = await cli('cache', 'flush');
  expect(nothing).toMatchObject({ code: 1, stdout: '' });
  expect(nothing.stderr).toContain('(vault_not_enabled)');
});

test('the wrong token, and nobody there, have their exit codes', async () => {
  const wrong = { ...env, KEYFERRY_TOKEN: 'another-token-altogether' };
  for (const args of [
    ['secrets', 'get', 'a'],
    ['secrets', 'resolve', 'vault.a'],
    ['cache', 'flush'],
  ]) {
    expect(await keyferry(args, wrong)).toMatchObject({ code: 4, stdout: '' });
    expect(await keyferry(args, { ...env, KEYFERRY_URL: 'http://127.0.0.1:1' })).toMatchObject({ code: 3 });
  }
});
