import { createDatabase } from '@keyferry/testing/support/database.ts';
import { redisUrl } from '@keyferry/testing/support/redis.ts';
import { expect, test } from 'vitest';
import { startProcess } from './support/process.ts';

/** Nothing listens on port 1. */
const nowhere = '127.0.0.1:1';
const waiting = { KEYFERRY_API_TOKEN: 'a-token-for-tests-that-is-long', KEYFERRY_API_PORT: '0' };

test('a database that is away is waited for, then told of', { timeout: 90_000 }, async () => {
  const { code, output } = await startProcess({
    ...waiting,
    DATABASE_URL: `postgres://${nowhere}/keyferry`,
    REDIS_URL: redisUrl(),
  }).ended;
  expect(code).toBe(1);
  expect(output).toContain('database_unavailable');
});

test('a Redis that is away is waited for, then told of', { timeout: 90_000 }, async () => {
  const database = await createDatabase();
  const { code, output } = await startProcess({
    ...waiting,
    DATABASE_URL: database.url,
    REDIS_URL: `redis://${nowhere}`,
  }).ended;
  await database.drop();
  expect(code).toBe(1);
  expect(output).toContain('redis_unavailable');
});
