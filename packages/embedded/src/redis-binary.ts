import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KeyferryError } from '@keyferry/core';

/** Where `scripts/setup.mjs` puts one if the machine has none that fits: a script that starts it with its libraries. */
const fetched = fileURLToPath(new URL('../../../.keyferry/redis/redis-server', import.meta.url));

/**
 * The Redis or Valkey server to start: the one that the set-up fetched, else from the PATH.
 * @throws KeyferryError `setup_failed` if there is none.
 */
export function findRedis(): string {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = ['redis-server', 'valkey-server'].flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = [fetched, ...candidates].find((path) => existsSync(path));
  if (found === undefined)
    throw new KeyferryError(
      'setup_failed',
      'There is no redis-server or valkey-server: install one, run `node scripts/setup.mjs`, or set REDIS_URL to a server of your own.',
    );
  return found;
}
