import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { newQueuePrefix, redisUrl } from '@keyferry/testing/support/redis.ts';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startProcess } from './support/process.ts';

const folder = temporaryFolder('api');
const tokenFile = join(folder.path, 'state', 'api-token');
let database: TestDatabase;
let environment: Record<string, string>;

beforeAll(async () => {
  database = await createDatabase();
  environment = {
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl(),
    KEYFERRY_QUEUE_PREFIX: newQueuePrefix(),
    KEYFERRY_MASTER_KEY: randomBytes(32).toString('base64'),
    KEYFERRY_API_TOKEN_FILE: tokenFile,
    KEYFERRY_API_PORT: '0',
  };
});

afterAll(async () => {
  await database.drop();
  folder.remove();
});

async function refusal(change: Record<string, string>): Promise<{ code: string; message: string; output: string }> {
  const { code, output } = await startProcess({ ...environment, ...change }).ended;
  expect(code).toBe(1);
  const lines = output.trim().split('\n');
  expect(lines).toHaveLength(1);
  const { error, action } = JSON.parse(lines[0] ?? '');
  expect(action).toBeTruthy();
  expect(output).not.toMatch(/\bat .*\.ts/);
  return { ...error, output };
}

test('it makes a token at its first start that its owner alone can read, serves, and ends with 0 when told to', async () => {
  const first = startProcess(environment);
  const address = await first.started;
  const token = readFileSync(tokenFile, 'utf8').trim();
  expect(token.length).toBeGreaterThan(40);
  expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
  const answer = await fetch(`${address}/v1/keys`, { headers: { authorization: `Bearer ${token}` } });
  expect(await answer.json()).toEqual({ items: [], next_cursor: null });

  const second = startProcess(environment);
  const again = await fetch(`${await second.started}/v1/keys`, { headers: { authorization: `Bearer ${token}` } });
  expect(again.status).toBe(200);

  for (const { child, ended } of [first, second]) {
    child.kill('SIGTERM');
    const { code, output } = await ended;
    expect(code).toBe(0);
    expect(output).not.toContain(token);
  }
  expect((await first.ended).output).toContain(tokenFile);
  expect((await second.ended).output).not.toContain(tokenFile);
});

describe('it says in one sentence why it can’t start, and ends with 1', () => {
  test('a variable that is missing', async () => {
    const { code, message } = await refusal({ DATABASE_URL: '' });
    expect({ code, message }).toEqual({
      code: 'config_invalid',
      message: 'The environment variable DATABASE_URL is not set.',
    });
  });

  test('a token that is too short to be one', async () => {
    const { code, output } = await refusal({ KEYFERRY_API_TOKEN: 'canary' });
    expect(code).toBe('config_invalid');
    expect(output).not.toContain('canary');
  });

  test('a token for revoking that is too short, or no other than the token of the API', async () => {
    const short = await refusal({ KEYFERRY_REVOKE_TOKEN: 'canary' });
    expect(short).toMatchObject({ code: 'config_invalid', message: expect.stringContaining('KEYFERRY_REVOKE_TOKEN') });
    expect(short.output).not.toContain('canary');
    const same = await refusal({ KEYFERRY_REVOKE_TOKEN_FILE: tokenFile });
    expect(same).toMatchObject({ code: 'config_invalid', message: expect.stringContaining('has to be another') });
  });

  test('a token file that can’t be read', async () => {
    const { code, message } = await refusal({ KEYFERRY_API_TOKEN_FILE: folder.path });
    expect(code).toBe('config_invalid');
    expect(message).toContain(folder.path);
  });

  test('a master key that is none, or not the one of the data', async () => {
    expect((await refusal({ KEYFERRY_MASTER_KEY: 'canary' })).code).toBe('master_key_invalid');
    const other = randomBytes(32).toString('base64');
    expect((await refusal({ KEYFERRY_MASTER_KEY: other })).code).toBe('master_key_mismatch');
    expect((await refusal({ KEYFERRY_MASTER_KEY: '' })).code).toBe('master_key_missing');
  });

  test('a port that is taken', async () => {
    const { child, started, ended } = startProcess(environment);
    const { port } = new URL(await started);
    const { code, message } = await refusal({ KEYFERRY_API_PORT: port });
    expect(code).toBe('setup_failed');
    expect(message).toContain(`127.0.0.1:${port}`);
    child.kill('SIGTERM');
    await ended;
  });

  test('a database without the tables', async () => {
    const empty = await createDatabase();
    await asAdmin(empty.ownerUrl, (client) => client.query('DROP SCHEMA keyferry CASCADE'));
    expect((await refusal({ DATABASE_URL: empty.url })).code).toBe('database_outdated');
    await empty.drop();
  });
});
