import { readdirSync, readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { openHouse } from '../support/house.ts';
import { startApp } from '../support/processes.ts';
import { redisUrl } from '../support/redis.ts';

/** What whoever has a scheduler gets: what it has. That is neither a master key nor a vault’s credentials. */

test('a scheduler does its work without a master key', async () => {
  const house = await openHouse();
  try {
    const backend = await house.addBackend();
    const scheduler = await startApp('scheduler', {
      DATABASE_URL: house.database.url,
      REDIS_URL: redisUrl(),
      KEYFERRY_QUEUE_PREFIX: house.prefix,
    });
    try {
      await vi.waitFor(
        async () =>
          expect(await house.read((tx) => tx.selectFrom('cycles').select('backend_id').execute())).toContainEqual({
            backend_id: backend.id,
          }),
        { timeout: 15_000 },
      );
    } finally {
      await scheduler.stop();
    }
  } finally {
    await house.close();
  }
});

test('nothing of a scheduler’s own code opens what is sealed', () => {
  const folder = new URL('../../apps/scheduler/src/', import.meta.url);
  const sources = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'));
  expect(sources.join('\n')).not.toMatch(/keyring|masterKey|MASTER_KEY|@keyferry\/connections/i);
});
