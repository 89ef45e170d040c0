import { startRedis } from '@keyferry/embedded';
import type { TestProject } from 'vitest/node';
import { temporaryFolder } from './temporary-folder.ts';
import { prepareTestPostgres, type TestPostgres } from './test-postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestPostgres;
    redisUrl: string;
  }
}

/**
 * Once a run: Postgres with a migrated template database, and Redis, both of the run's own unless
 * KEYFERRY_TEST_DATABASE_URL (a superuser's) or KEYFERRY_TEST_REDIS_URL name others. Returns what ends them.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const cleanup = new AsyncDisposableStack();
  const started = await Promise.allSettled([prepareTestPostgres(cleanup), redisForTests(cleanup)]);
  const [postgres, redisUrl] = started;
  if (postgres.status === 'rejected' || redisUrl.status === 'rejected') {
    await cleanup.disposeAsync();
    throw started.find((result) => result.status === 'rejected')?.reason;
  }
  project.provide('postgres', postgres.value);
  project.provide('redisUrl', redisUrl.value);
  return () => cleanup.disposeAsync();
}

async function redisForTests(cleanup: AsyncDisposableStack): Promise<string> {
  const given = process.env.KEYFERRY_TEST_REDIS_URL;
  if (given) return given;
  const folder = temporaryFolder('redis');
  cleanup.defer(folder.remove);
  const redis = await startRedis({ dir: folder.path, persistent: false });
  cleanup.defer(redis.stop);
  return redis.url;
}
