import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../src/index.ts';

let dir: string;
let server: RedisServer | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'keyferry-redis-'));
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
  rmSync(dir, { recursive: true });
});

async function ask<T>(url: string | undefined, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url ?? '', { retryStrategy: () => null });
  redis.on('error', () => {});
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}

test('a persistent server keeps its data over a stop, and its port over a restart', async () => {
  server = await startRedis({ dir, persistent: true });
  await ask(server.url, (redis) => redis.set('note', 'kept'));
  const { port } = server;
  await server.restart();
  expect(server.port).toBe(port);
  await server.stop();

  server = await startRedis({ dir, persistent: true });
  expect(await ask(server.url, (redis) => redis.get('note'))).toBe('kept');
});

test('a server that is killed can be started again, empty if it is not persistent', async () => {
  server = await startRedis({ dir, persistent: false });
  await ask(server.url, (redis) => redis.set('note', 'lost'));
  await server.kill();
  await server.restart();
  expect(await ask(server.url, (redis) => redis.get('note'))).toBeNull();
});

test('nobody gets in without the password, and jobs are never evicted', async () => {
  server = await startRedis({ dir, persistent: false });
  await expect(ask(`redis://127.0.0.1:${server.port}`, (redis) => redis.get('note'))).rejects.toThrow();
  expect(await ask(server.url, (redis) => redis.config('GET', 'maxmemory-policy'))).toContain('noeviction');
});

test('a folder that a running server works on is refused in one sentence', async () => {
  server = await startRedis({ dir, persistent: true });
  await expect(startRedis({ dir, persistent: true })).rejects.toMatchObject({
    code: 'setup_failed',
    message: expect.stringContaining('already runs'),
  });
});

test('a port that is taken fails the start with what Redis said', async () => {
  server = await startRedis({ dir, persistent: false });
  const other = join(dir, 'other');
  await expect(startRedis({ dir: other, persistent: false, port: server.port })).rejects.toMatchObject({
    code: 'setup_failed',
    message: expect.stringContaining('Address already in use'),
  });
});
