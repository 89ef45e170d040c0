import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@keyferry/embedded';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { newQueuePrefix, redisUrl } from '@keyferry/testing/support/redis.ts';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { keyferry } from './support/command-line.ts';
import { processesOf } from './support/processes-of.ts';

/** What `keyferry up` does about services that are given and can't be used. */

const masterKey = Buffer.alloc(32, 7).toString('base64');
const cleanup = new AsyncDisposableStack();
let database: TestDatabase;
let vault: VaultEmulator;
let home: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  database = await createDatabase();
  cleanup.defer(() => database.drop());
  vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('bifrost/a', { value: 'not-a-key' });
});
afterAll(() => cleanup.disposeAsync());

beforeEach(() => {
  const folder = temporaryFolder('up-refusals');
  cleanup.defer(folder.remove);
  home = folder.path;
  env = {
    KEYFERRY_HOME: home,
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl(),
    KEYFERRY_QUEUE_PREFIX: newQueuePrefix(),
    KEYFERRY_MASTER_KEY: masterKey,
    VAULT_ADDR: vault.url,
    VAULT_TOKEN: vault.rootToken,
  };
});

const up = (more: NodeJS.ProcessEnv) => keyferry(['up', '--once'], { PATH: process.env.PATH, ...env, ...more });

/** One sentence, its code, what to do, and nothing left running. */
async function expectRefusal(more: NodeJS.ProcessEnv, code: string, words: string): Promise<void> {
  const { code: exit, stderr } = await up(more);
  expect(stderr).toMatch(new RegExp(`\\nerror: [^\\n]+ \\(${code}\\)\\n  [^\\n]+\\n$`));
  expect(stderr).toContain(words);
  expect(exit).toBe(1);
  expect(existsSync(join(home, 'up.lock'))).toBe(false);
  if (process.platform === 'linux') expect(processesOf(home)).toEqual([]);
}

test('a given vault is carried over given services, with nothing embedded', { timeout: 60_000 }, async () => {
  const { code, stdout } = await up({});
  expect(stdout).toMatch(/vault: completed in .*, 1 discovered: 1 added/);
  expect(code).toBe(0);
  expect(existsSync(join(home, 'data', 'postgres', 'cluster'))).toBe(false);
});

test('a vault that refuses leaves the backend as it was', { timeout: 60_000 }, async () => {
  await expectRefusal({ VAULT_TOKEN: 'wrong' }, 'vault_unauthenticated', 'The token is that of VAULT_TOKEN.');
  await expectRefusal({ VAULT_NAMESPACE: 'nowhere' }, 'container_missing', '--mount');
  vault.seal();
  await expectRefusal({}, 'vault_sealed', 'sealed');
  vault.unseal();
  const { code, stdout } = await up({});
  expect(stdout).toMatch(/1 discovered: 1 unchanged/);
  expect(code).toBe(0);
});

test('services that don’t answer are named with their address and without their password', async () => {
  const away = `127.0.0.1:${await freePort()}`;
  await expectRefusal({ REDIS_URL: `redis://:a-password@${away}` }, 'redis_unavailable', `Redis at ${away} did not`);
  const url = new URL(database.url);
  url.password = 'a-password';
  await expectRefusal({ DATABASE_URL: url.href }, 'database_unavailable', `Postgres at ${url.host} refused the login`);
});

test('a master key that isn’t the database’s, or can’t be read, stops the start', async () => {
  const another = Buffer.alloc(32, 8).toString('base64');
  await expectRefusal({ KEYFERRY_MASTER_KEY: another }, 'master_key_mismatch', 'not the one of this database');
  await expectRefusal({ KEYFERRY_MASTER_KEY: '' }, 'master_key_missing', 'no master key was given');
  expect(existsSync(join(home, 'master.key'))).toBe(false);
  writeFileSync(join(home, 'master.key'), 'not a key');
  await expectRefusal({ KEYFERRY_MASTER_KEY: '' }, 'master_key_invalid', 'is not 32 bytes');
});

test('a port that was asked for and is taken stops the start', async () => {
  const { port } = new URL(vault.url);
  await expectRefusal({ KEYFERRY_API_PORT: port }, 'setup_failed', `The port ${port} of KEYFERRY_API_PORT`);
});

test.each([
  [{ VAULT_TOKEN: '' }, 'VAULT_TOKEN is not'],
  [{ VAULT_ADDR: '' }, 'VAULT_ADDR is not'],
  [{ VAULT_ADDR: 'http://192.0.2.1:8200' }, '--allow-http'],
  [{ KEYFERRY_SYNC_PATHS: 'bifrost/*' }, 'a JSON array'],
  [{ VAULT_CACERT: '/not/there.pem' }, '/not/there.pem'],
  [{ DATABASE_URL: 'nonsense' }, 'DATABASE_URL has to be a URL'],
  [{ REDIS_URL: 'http://127.0.0.1' }, 'REDIS_URL has to be a URL'],
])('%j is refused before anything is started', async (more, words) => {
  const { code, stderr } = await up(more);
  expect(stderr).toMatch(/^error: [^\n]+ \(config_invalid\)\n {2}[^\n]+\n$/);
  expect(stderr).toContain(words);
  expect(code).toBe(1);
});
