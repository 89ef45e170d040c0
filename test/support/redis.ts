import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';

/** The run's Redis, shared by all test files: don't flush it; a test that does starts one of its own. */
export function redisUrl(): string {
  return inject('redisUrl');
}

/** A prefix for queues that no other test file has. In braces: a cluster keeps such keys together. */
export function newQueuePrefix(): string {
  return `{test-${randomBytes(6).toString('hex')}}`;
}
