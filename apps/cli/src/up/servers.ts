import { KeyferryError } from '@keyferry/core';
import { type PostgresServer, type RedisServer, startPostgres, startRedis } from '@keyferry/embedded';
import type { EmulatorKind, SpawnedEmulator } from '@keyferry/emulators';
import type { Home } from '../home.ts';
import { type DatabasePlace, migrateDatabase, withStore } from '../services/database.ts';
import { probeRedis } from '../services/redis.ts';
import { startDemoVault } from './demo-vault.ts';
import type { UpSettings } from './settings.ts';

export interface Servers {
  database: DatabasePlace;
  databaseOwner: DatabasePlace;
  redisUrl: string;
  /** In the order they were asked for. */
  demoVaults: { kind: EmulatorKind; vault: SpawnedEmulator }[];
}

/**
 * Starts Postgres, Redis and the demo vaults where none is given, at the same time, and looks at those that are given. What
 * was started is left to `cleanup`, also if something fails.
 */
export async function startServers(
  settings: UpSettings,
  home: Home,
  cleanup: AsyncDisposableStack,
  note: (line: string) => void,
): Promise<Servers> {
  const [postgres, redis, ...vaults] = await Promise.allSettled([
    settings.database ? null : startPostgres({ dataDir: home.postgres, durable: true }),
    settings.redisUrl ? null : startRedis({ dir: home.redis, persistent: true }),
    ...settings.demoKinds.map((kind) => startDemoVault(home, kind)),
  ]);
  for (const started of [postgres, redis, ...vaults])
    if (started.status === 'fulfilled' && started.value) cleanup.defer(started.value.stop);
  const database = settings.database ?? { url: startedOf<PostgresServer>(postgres).url, variable: 'DATABASE_URL' };
  const redisUrl = settings.redisUrl ?? startedOf<RedisServer>(redis).url;
  const demoVaults = vaults.map((vault, index) => ({
    kind: settings.demoKinds[index] as EmulatorKind,
    vault: startedOf<SpawnedEmulator>(vault),
  }));

  if (postgres.status === 'fulfilled' && postgres.value?.note) note(postgres.value.note);
  const { server } = await probeRedis(redisUrl);
  const place = (given: string | undefined) => (given ? 'given' : 'embedded');
  const demos = demoVaults.map(({ kind, vault }) => `demo vault (${kind}) at ${vault.url}`);
  const vaultText = demos.length > 0 ? demos.join(', ') : 'the vault of VAULT_ADDR';
  note(`Postgres (${place(settings.database?.url)}), ${server} (${place(settings.redisUrl)}), ${vaultText}`);
  return { database, databaseOwner: settings.databaseOwner ?? database, redisUrl, demoVaults };
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
