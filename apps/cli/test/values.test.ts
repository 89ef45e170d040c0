import { createClient, type KeyferryClient } from '@keyferry/client';
import { freePort } from '@keyferry/embedded';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { startApp } from '@keyferry/testing/support/processes.ts';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { document, keyferry, startKeyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';
import { newTeam, optionsOf } from './support/team.ts';

/** Reading and writing values through a whole Keyferry: by the command, and by the client. */

const cleanup = new AsyncDisposableStack();
let vault: VaultEmulator;
let env: NodeJS.ProcessEnv;
let settings: Record<string, string>;
let client: KeyferryClient;
/** Each test has a mount and a backend of its own. */
let name: string;

beforeAll(async () => {
  vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  ({ env, settings } = await startServices(cleanup));
  client = createClient({ url: env.KEYFERRY_URL ?? '', token: env.KEYFERRY_TOKEN ?? '' });
  cleanup.defer(() => client.close());
});
afterAll(() => cleanup.disposeAsync());

beforeEach(() => {
  name = newTeam(vault);
});

const cli = (...args: string[]) => keyferry(args, env);
const put = (path: string, data: Record<string, string>) => vault.kv(name).put(`${name}/${path}`, data);

async function backendWith(secrets: Record<string, Record<string, string>>, ...options: string[]) {
  for (const [path, data] of Object.entries(secrets)) put(path, data);
  const added = await cli('backend', 'add', name, ...optionsOf(vault, name), ...options);
  expect(added).toMatchObject({ code: 0 });
  await sync();
}
const sync = async () => expect((await cli('sync', name, '--wait')).code).toBe(0);

test('values are read by path and field, listed and resolved', async () => {
  await backendWith({ key: { value: 'sk-1' }, pair: { user: 'u', password: 'p' } });
  expect(await cli('secrets', 'get', `${name}/key`)).toEqual({ code: 0, stdout: 'sk-1', stderr: '' });
  expect((await cli('secrets', 'get', `${name}/pair`, '--field', 'password')).stdout).toBe('p');
  expect((await cli('secrets', 'list', `${name}/`)).stdout).toMatch(/\/key +.* +sync\n.*\/pair/);
  const resolved = await cli('secrets', 'resolve', `vault.${name}/pair#user`, `vault.${name}/none`, '--json');
  expect(document(resolved).items).toMatchObject([
    { value: 'u' },
    { error: { code: expect.stringMatching(/key_not_found|path_unmapped/) } },
  ]);
});

test('a program starts with the values of its variables', async () => {
  await backendWith({ pair: { user: 'u', password: 'p' } });
  const variables = { ...env, USER_NAME: `vault.${name}/pair#user`, PASSWORD: `vault.${name}/pair#password` };
  const code = 'process.env.USER_NAME + process.env.PASSWORD';
  expect(await startKeyferry(['run', '--', process.execPath, '-p', code], variables).ended).toMatchObject({
    code: 0,
    stdout: 'up\n',
  });
});

test('the client has a rotated value without being asked to, and a revoked one no more', async () => {
  await backendWith({ key: { value: 'one' } });
  const reference = `vault.${name}/key`;
  const seen: string[] = [];
  const stop = client.watch(reference, (value) => void seen.push(value));
  expect(await client.resolveAll({ key: reference })).toEqual({ key: 'one' });
  put('key', { value: 'two' });
  await sync();
  await vi.waitFor(async () => expect(await client.resolve(reference)).toBe('two'), 5_000);
  await vi.waitFor(() => expect(seen).toEqual(['two']), 5_000);
  stop();
  expect((await cli('keys', 'revoke', `${name}/key`, '--reason', 'leaked')).code).toBe(0);
  await vi.waitFor(() => expect(client.resolve(reference)).rejects.toMatchObject({ code: 'key_not_served' }), 5_000);
});

test('a flush has proxied values read anew', async () => {
  await backendWith({ key: { value: 'one' } }, '--mode', 'proxy');
  const reference = `vault.${name}/key`;
  await client.resolve(reference);
  expect(await client.resolve(reference)).toBe('one');
  put('key', { value: 'two' });
  expect((await cli('cache', 'flush')).code).toBe(0);
  await vi.waitFor(async () => expect(await client.resolve(reference)).toBe('two'), 5_000);
});

test('a value is written, followed by the client, and deleted', async () => {
  await backendWith({ other: { value: 'x' } }, '--writes', 'local');
  const path = `${name}/written`;
  const write = (value: string) => keyferry(['secrets', 'put', path], env, `${value}\n`);
  expect(await write('one')).toMatchObject({ code: 0, stdout: expect.stringContaining('created here') });
  await client.resolve(`vault.${path}`);
  expect(await client.resolve(`vault.${path}`)).toBe('one');
  expect((await write('two')).code).toBe(0);
  await vi.waitFor(async () => expect(await client.resolve(`vault.${path}`)).toBe('two'), 5_000);
  expect((await cli('secrets', 'delete', path, '--yes')).code).toBe(0);
  await vi.waitFor(() => expect(client.resolve(`vault.${path}`)).rejects.toThrow(), 5_000);
});

test('while its API process is gone the client goes on from memory, and then has what changed meanwhile', async () => {
  await backendWith({ key: { value: 'one' } });
  const reference = `vault.${name}/key`;
  const port = await freePort();
  const start = () => startApp('api', { ...settings, KEYFERRY_API_PORT: String(port) });
  const first = await start();
  const other = createClient({ url: `http://127.0.0.1:${port}`, token: env.KEYFERRY_TOKEN ?? '', maxStale: '5m' });
  onTestFinished(() => other.close());
  await other.resolve(reference);
  expect(await other.resolve(reference)).toBe('one');
  await first.kill();
  for (let time = 0; time < 100; time++) expect(await other.resolve(reference)).toBe('one');
  // Told by another process of the API.
  put('key', { value: 'two' });
  await sync();
  expect(await other.resolve(reference)).toBe('one');
  const second = await start();
  onTestFinished(async () => void (await second.stop()));
  await vi.waitFor(async () => expect(await other.resolve(reference)).toBe('two'), 10_000);
});
