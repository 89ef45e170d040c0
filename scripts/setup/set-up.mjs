import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, SetupError, say } from './common.mjs';
import { installDependencies } from './dependencies.mjs';
import { withLock } from './lock.mjs';
import { provideRedis } from './redis.mjs';

/**
 * Brings what is missing: dependencies, and a Redis server if one is wanted. Ends the process, with one sentence, if
 * that can't be done.
 * @param {{ redis: boolean }} wanted
 */
export async function setUp(wanted) {
  const state = join(root, '.keyferry');
  mkdirSync(state, { recursive: true });
  try {
    await withLock(join(state, 'setup.lock'), async () => {
      await installDependencies();
      if (wanted.redis) await provideRedis();
    });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exit(1);
  }
}
