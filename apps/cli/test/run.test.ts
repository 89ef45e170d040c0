import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SecretsApi, startSecretsApi } from '@keyferry/testing/support/secrets-api.ts';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startKeyferry } from './support/command-line.ts';

const canary = 'canary-90aa-run';
const cleanup = new AsyncDisposableStack();
let api: SecretsApi;
let folder: string;

beforeAll(async () => {
  api = cleanup.use(await startSecretsApi());
  const temporary = temporaryFolder('run');
  cleanup.defer(temporary.remove);
  folder = temporary.path;
});
afterAll(() => cleanup.disposeAsync());

beforeEach(() => {
  api.secrets.clear();
  api.requests.length = 0;
});

/** `keyferry run` with these variables, as a process of its own. */
const start = (variables: NodeJS.ProcessEnv, ...args: string[]) =>
  startKeyferry(['run', ...args], {
    KEYFERRY_URL: api.url,
    KEYFERRY_TOKEN: api.token,
    KEYFERRY_HOME: folder,
    ...variables,
  });

/** A program that prints these of its variables as JSON. */
const printing = (...names: string[]) => [
  '--',
  process.execPath,
  '-p',
  `JSON.stringify([${names.map((name) => `process.env.${name}`).join(', ')}])`,
];

test('the program has values in place of references, read in one request', async () => {
  api.put('team/key', 'sk-1');
  api.put('team/pair', '{"user":"u","password":"p\\nq"}');
  const variables = { KEY: 'vault.team/key', USER_NAME: 'vault.team/pair#user', PASSWORD: 'vault.team/pair#password' };
  const { ended } = start({ ...variables, PLAIN: 'env.KEY' }, ...printing('KEY', 'USER_NAME', 'PASSWORD', 'PLAIN'));
  expect(await ended).toEqual({ code: 0, stdout: '["sk-1","u","p\\nq","env.KEY"]\n', stderr: '' });
  expect(api.requests.map(({ route }) => route)).toEqual(['POST /v1/secrets/resolve']);
});

test('a reference that can’t be resolved is named with its variable, and nothing is started', async () => {
  api.put('team/key', canary);
  const marker = join(folder, 'started');
  const program = ['--', process.execPath, '-e', `fs.writeFileSync(${JSON.stringify(marker)}, '')`];
  const variables = { GOOD: 'vault.team/key', BAD: 'vault.not/there', WORSE: 'vault.team/key#none' };
  const { code, stdout, stderr } = await start(variables, ...program).ended;
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/BAD, vault\.not\/there: .*\(key_not_found\) WORSE, vault\.team\/key#none: .*field_not_found/);
  expect(stderr).toContain('Nothing was started.');
  expect(stderr).not.toContain(canary);
  expect(() => readFileSync(marker)).toThrow('ENOENT');
});

test('Keyferry that is away, or refuses, is told of once, with its exit code', async () => {
  const variables = { ONE: 'vault.a', OTHER: 'vault.b' };
  const away = await start({ ...variables, KEYFERRY_URL: 'http://127.0.0.1:1' }, ...printing()).ended;
  expect(away).toMatchObject({ code: 3, stdout: '' });
  expect(away.stderr.match(/can't be reached/g)).toHaveLength(1);
  expect(await start({ ...variables, KEYFERRY_TOKEN: 'wrong' }, ...printing()).ended).toMatchObject({ code: 4 });
});

test('the token that opens every secret is not handed on, unless that is wished', async () => {
  expect((await start({}, ...printing('KEYFERRY_TOKEN', 'KEYFERRY_URL')).ended).stdout).toBe(`[null,"${api.url}"]\n`);
  const { ended } = start({}, '--with-token', ...printing('KEYFERRY_TOKEN'));
  expect((await ended).stdout).toBe(`["${api.token}"]\n`);
});

test('a file adds variables, and --only names those that are references', async () => {
  api.put('team/key', 'sk-1');
  const file = join(folder, 'service.env');
  writeFileSync(file, '# the service\nKEY=vault.team/key\nSET="from the file"\nSERVER=vault.example.com\n');
  const args = ['--env-file', file, '--only', 'KEY', ...printing('KEY', 'SET', 'SERVER')];
  const { ended } = start({ SET: 'from outside' }, ...args);
  expect(await ended).toMatchObject({ code: 0, stdout: '["sk-1","from outside","vault.example.com"]\n' });
  const unset = await start({}, '--only', 'NOT_SET', ...printing()).ended;
  expect(unset).toMatchObject({ code: 2, stderr: expect.stringContaining('NOT_SET is not set') });
});

test('without a reference Keyferry is not asked, and need not be there', async () => {
  const { ended } = start({ KEYFERRY_URL: 'http://127.0.0.1:1', PLAIN: 'x' }, ...printing('PLAIN'));
  expect(await ended).toEqual({ code: 0, stdout: '["x"]\n', stderr: '' });
});

test('a value that no environment can hold is refused, and not shown', async () => {
  api.put('team/key', `${canary}\0`);
  const { code, stdout, stderr } = await start({ KEY: 'vault.team/key' }, ...printing('KEY')).ended;
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain('KEY');
  expect(stderr).not.toContain(canary);
});

test('what follows the program is its own, also without --', async () => {
  const { ended } = start({}, process.execPath, '-p', 'process.argv.slice(1).join(" ")', 'x', '--only', '--version');
  expect(await ended).toMatchObject({ code: 0, stdout: 'x --only --version\n' });
});

test('the exit code is that of the program', async () => {
  expect((await start({}, '--', process.execPath, '-e', 'process.exit(42)').ended).code).toBe(42);
  expect((await start({}, '--', process.execPath, '-e', 'process.kill(process.pid, "SIGKILL")').ended).code).toBe(137);
  const missing = await start({}, '--', './not-there').ended;
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("./not-there can't be started (ENOENT)") });
});

test.each(['SIGTERM', 'SIGUSR2'] as const)('%s is handed on to the program', async (signal) => {
  const code = `process.on('${signal}', () => process.exit(7)); setInterval(() => {}, 1_000); console.log('ready')`;
  const { child, printed, ended } = start({}, '--', process.execPath, '-e', code);
  await printed('ready');
  child.kill(signal);
  expect((await ended).code).toBe(7);
});

test('no value is among the arguments of any process', async () => {
  api.put('team/key', canary);
  const code = `console.log('ready'); process.stdin.resume(); setInterval(() => {}, 1_000)`;
  const { child, printed, ended } = start({ KEY: 'vault.team/key' }, '--', process.execPath, '-e', code);
  await printed('ready');
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
  for (const pid of [child.pid, ...children])
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(canary);
  expect(readFileSync(`/proc/${children[0]}/environ`, 'utf8')).toContain(`KEY=${canary}`);
  child.kill('SIGTERM');
  expect((await ended).code).toBe(143);
});
