import { randomBytes } from 'node:crypto';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { newQueuePrefix, redisUrl } from '@keyferry/testing/support/redis.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startProcess } from './support/process.ts';

const token = 'a-token-for-tests-that-is-long';

let vault: VaultEmulator;
let database: TestDatabase;
let environment: Record<string, string>;

beforeAll(async () => {
  vault = await startVaultEmulator();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  database = await createDatabase();
  environment = {
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl(),
    KEYFERRY_QUEUE_PREFIX: newQueuePrefix(),
    KEYFERRY_MASTER_KEY: randomBytes(32).toString('base64'),
    KEYFERRY_API_TOKEN: token,
    KEYFERRY_API_PORT: '0',
  };
});
afterAll(async () => {
  await vault.close();
  await database.drop();
});

/** Starts, does something with the address, and ends. */
async function started(work: (address: string) => Promise<unknown> = async () => {}): Promise<void> {
  const { child, started: address, ended } = startProcess(environment);
  await work(await address);
  child.kill('SIGTERM');
  await ended;
}

async function refusal(): Promise<{ code: string; message: string }> {
  const { code, output } = await startProcess(environment).ended;
  expect(code).toBe(1);
  expect(output).not.toContain('api started');
  return JSON.parse(output.trim().split('\n').at(-1) ?? '').error;
}

const send = (address: string, method: string, path: string, body: object) =>
  fetch(`${address}/v1/federation/backends${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

test('it does not start while a required vault keeps us out or is away, and says which one and why', async () => {
  const lent = vault.tokens.create({ policies: ['root'] });
  const config = { address: vault.url, auth: { method: 'token', token: lent } };
  await started((address) => send(address, 'POST', '', { name: 'main', kind: 'hashicorp', config, required: true }));
  await started();

  vault.tokens.revoke(lent);
  const locked = await refusal();
  expect(locked.code).toBe('vault_ping_failed');
  expect(locked.message).toMatch(/^vault: ping failed: backend "main": vault_unauthenticated: /);

  vault.seal();
  expect((await refusal()).message).toMatch(/^vault: ping failed: backend "main": vault_sealed: /);
  vault.unseal();
});

test('it starts without a vault that is not required', async () => {
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  const other = await createDatabase();
  environment.DATABASE_URL = other.url;
  await started((api) => send(api, 'POST', '', { name: 'main', kind: 'hashicorp', config }));
  vault.seal();
  await started();
  await other.drop();
});

test('a required vault that a person has paused is let alone', async () => {
  vault.unseal();
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  const other = await createDatabase();
  environment.DATABASE_URL = other.url;
  await started(async (api) => {
    await send(api, 'POST', '', { name: 'main', kind: 'hashicorp', config, required: true });
    await send(api, 'PATCH', '/main', { state: 'paused' });
  });
  vault.seal();
  await started();
  await other.drop();
});
