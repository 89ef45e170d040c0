import { KeyferryError } from '@keyferry/core';
import { type PostgresServer, type RedisServer, startPostgres, startRedis } from '@keyferry/embedded';
import type { SpawnedEmulator } from '@keyferry/emulators';
import type { Home } from '../home.ts';
import { type DatabasePlace, migrateDatabase, withStore } from '../services/database.ts';
import { probeRedis } from '../services/redis.ts';
import { startDemoVault } from './demo-vault.ts';
import type { UpSettings } from './settings.ts';

export interface Servers {
  database: DatabasePlace;
  databaseOwner: DatabasePlace;
  redisUrl: string;
  demoVault: SpawnedEmulator | null;
}

/**
 * Starts Postgres, Redis and the demo vault where none is given, at the same time, and looks at those that are given. What
 * was started is left to `cleanup`, also if something fails.
 */
export async function startServers(
  settings: UpSettings,
  home: Home,
  cleanup: AsyncDisposableStack,
  note: (line: string) => void,
): Promise<Servers> {
  const [postgres, redis, vault] = await Promise.allSettled([
    settings.database ? null : startPostgres({ dataDir: home.postgres, durable: true }),
    settings.redisUrl ? null : startRedis({ dir: home.redis, persistent: true }),
    settings.vault ? null : startDemoVault(home),
  ]);
  for (const started of [postgres, redis, vault])
    if (started.status === 'fulfilled' && started.value) cleanup.defer(started.value.stop);
  const database = settings.database ?? { url: startedOf<PostgresServer>(postgres).url, variable: 'DATABASE_URL' };
  const redisUrl = settings.redisUrl ?? startedOf<RedisServer>(redis).url;
  const demoVault = settings.vault ? null : startedOf<SpawnedEmulator>(vault);

  if (postgres.status === 'fulfilled' && postgres.value?.note) note(postgres.value.note);
  const { server } = await probeRedis(redisUrl);
  const place = (given: string | undefined) => (given ? 'given' : 'embedded');
  const vaultText = demoVault ? `demo vault at ${demoVault.url}` : 'the vault of VAULT_ADDR';
  note(`Postgres (${place(settings.database?.url)}), ${server} (${place(settings.redisUrl)}), ${vaultText}`);
  return { database, databaseOwner: settings.databaseOwner ?? database, redisUrl, demoVault };
}

function startedOf<T>(result: PromiseSettledResult<T | null>): T {
  if (result.status === 'rejected') throw result.reason;
  return result.value as T;
}

/** Brings the database to this version where it isn't yet, and returns what was applied. */
export async function prepareDatabase({ database, databaseOwner }: Servers): Promise<string[]> {
  try {
    await withStore(database, async () => {});
    return [];
  } catch (error) {
    if (error instanceof KeyferryError && error.code === 'database_outdated')
      return await migrateDatabase(databaseOwner);
    throw error;
  }
}
