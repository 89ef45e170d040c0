import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { type SpawnedEmulator, type SpawnOptions, spawnEmulator } from '../src/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'keyferry-emulator-'));
let child: SpawnedEmulator<'hashicorp'> | undefined;

async function start(options: SpawnOptions): Promise<SpawnedEmulator<'hashicorp'>> {
  child = await spawnEmulator('hashicorp', options);
  return child;
}

afterEach(async () => {
  await child?.stop();
  rmSync(join(directory, 'state.json'), { force: true });
});

afterAll(() => rmSync(directory, { recursive: true }));

async function read(
  emulator: SpawnedEmulator<'hashicorp'>,
  path: string,
): Promise<{ status: number; version?: number }> {
  const headers = { 'x-vault-token': emulator.credentials.root_token ?? '' };
  const response = await fetch(`${emulator.url}/v1/secret/data/${path}`, { headers });
  const body = (await response.json()) as { data?: { metadata: { version: number } } };
  return { status: response.status, ...(body.data === undefined ? {} : { version: body.data.metadata.version }) };
}

test('it is seeded, changed, counted and disturbed from outside', async () => {
  const emulator = await start({ seed: 300, settings: { flavour: 'openbao' } });
  const { changed } = await emulator.control('change', { mount: 'secret', share: 0.01 });
  expect(changed).toHaveLength(3);
  expect(await read(emulator, changed[0] ?? '')).toEqual({ status: 200, version: 2 });
  const { id } = await emulator.control('fault', { effect: { kind: 'status', status: 500, body: '{}' }, times: 1 });
  expect((await read(emulator, 'none')).status).toBe(500);
  expect(await emulator.control('faultHits', { id })).toEqual({ hits: 1 });
  const { total, counts, newest } = await emulator.control('requests', { newest: 1 });
  expect([total, counts, newest[0]?.status]).toEqual([2, { data: 2 }, 500]);
  await emulator.control('delete', { mount: 'secret', path: changed[0] ?? '' });
  expect((await read(emulator, changed[0] ?? '')).status).toBe(404);
  await expect(emulator.control('delete', { mount: 'gone', path: 'a' })).rejects.toThrow('no mount at gone');
});

test('control is for who knows its token', async () => {
  const emulator = await start({});
  const response = await fetch(`${emulator.url}/__control/seal`, {
    method: 'POST',
    headers: { 'x-emulator-control': 'x' },
  });
  expect(response.status).toBe(403);
});

test('with a state file, secrets, roles and tokens are there again after a restart', async () => {
  const stateFile = join(directory, 'state.json');
  const first = await start({ demo: true, stateFile });
  const { token } = await first.control('token', { policies: ['none'] });
  await first.control('enableAuth', { type: 'approle' });
  const { roleId } = await first.control('appRole', { name: 'worker', policies: ['none'] });
  const { secretId } = await first.control('secretId', { name: 'worker' });
  await first.control('put', { mount: 'secret', path: 'bifrost/big', data: '{"n":12345678901234567890}' });
  await first.stop();
  expect(statSync(stateFile).mode & 0o777).toBe(0o600);
  expect(readFileSync(stateFile, 'utf8')).toContain('12345678901234567890');

  const second = await start({ demo: true, stateFile });
  expect(second.credentials).toEqual(first.credentials);
  expect(await second.control('paths', { mount: 'secret' })).toHaveLength(13);
  expect(await read(second, 'demo/openai/staging')).toEqual({ status: 200, version: 1 });
  const lookup = await fetch(`${second.url}/v1/auth/token/lookup-self`, { headers: { 'x-vault-token': token } });
  expect(lookup.status).toBe(200);
  const body = JSON.stringify({ role_id: roleId, secret_id: secretId });
  expect((await fetch(`${second.url}/v1/auth/approle/login`, { method: 'POST', body })).status).toBe(200);
});

test('a state file that is something else ends the start with an error', async () => {
  const stateFile = join(directory, 'state.json');
  writeFileSync(stateFile, '{"format":7}');
  child = undefined;
  await expect(spawnEmulator('hashicorp', { stateFile })).rejects.toThrow('is no saved state of this emulator');
});
