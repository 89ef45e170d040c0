import { startPostgres, startRedis } from '@keyferry/embedded';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { openRedis, type Redis } from '@keyferry/queue';
import {
  type BackendSettings,
  type Cycle,
  createBackend,
  createKeyring,
  defaultTenantId,
  listEvents,
  listKeys,
  loadMasterKey,
  migrate,
  openStore,
  type StoredEvent,
  type Tx,
} from '@keyferry/store';
import { vi } from 'vitest';
import { settingsFor } from './backend-settings.ts';
import { type AppProcess, startApp } from './processes.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface Site {
  vault: VaultEmulator;
  postgres: Awaited<ReturnType<typeof startPostgres>>;
  redis: Awaited<ReturnType<typeof startRedis>>;
  redisClient: Redis;
  environment: Record<string, string>;
  start(name: 'scheduler' | 'worker' | 'api', env?: Record<string, string>): Promise<AppProcess>;
  addBackend(settings?: Partial<BackendSettings>): Promise<string>;
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  cycles(): Promise<Cycle[]>;
  /** Waits until so many cycles have ended and none is open. */
  allEnded(count: number): Promise<Cycle[]>;
  /** Waits until a cycle is in this stage. */
  inStage(stage: string): Promise<Cycle>;
  events(type?: string): Promise<StoredEvent[]>;
  keyCount(): Promise<number>;
  close(): Promise<void>;
}

/** Short times, so that what was lost is found soon. */
const quick = {
  KEYFERRY_JOB_LOCK_MS: '800',
  KEYFERRY_SCHEDULER_POLL_MS: '50',
  KEYFERRY_RECONCILE_SETTLE_MS: '400',
  KEYFERRY_FIRST_RETRY_MS: '50',
};

/** Postgres and Redis of the test's own, that it may stop and break, and apps as processes. */
export async function openSite(): Promise<Site> {
  const cleanup = new AsyncDisposableStack();
  const data = temporaryFolder('site-postgres');
  cleanup.defer(data.remove);
  const cache = temporaryFolder('site-redis');
  cleanup.defer(cache.remove);
  const postgres = await startPostgres({ dataDir: data.path, durable: false });
  cleanup.defer(() => postgres.stop());
  await migrate({ connectionString: postgres.url });
  const redis = await startRedis({ dir: cache.path, persistent: false });
  cleanup.defer(() => redis.stop());
  const vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  vault.mounts.enable('secret', { type: 'kv', version: 2 });

  const masterKey = Buffer.alloc(32, 9).toString('base64');
  const store = openStore({ connectionString: postgres.url });
  cleanup.defer(() => store.close());
  const keyring = createKeyring(store, await loadMasterKey(store, { text: masterKey }));
  const redisClient = openRedis(redis.url, 'consumer', () => {});
  cleanup.defer(() => redisClient.disconnect());
  const environment = { DATABASE_URL: postgres.url, REDIS_URL: redis.url, KEYFERRY_MASTER_KEY: masterKey, ...quick };

  const apps: AppProcess[] = [];
  cleanup.defer(() => Promise.all(apps.map((app) => app.kill())).then(() => {}));
  const read = <T>(work: (tx: Tx) => Promise<T>) => store.inTenant(defaultTenantId, work);
  const cycles = () => read((tx) => tx.selectFrom('cycles').selectAll().orderBy('opened_at').execute());
  let names = 0;

  return {
    vault,
    postgres,
    redis,
    redisClient,
    environment,
    read,
    cycles,
    async start(name, env = {}) {
      const app = await startApp(name, { ...environment, ...env });
      apps.push(app);
      return app;
    },
    async addBackend(settings = {}) {
      const keys = await keyring.ofTenant(defaultTenantId);
      const name = `vault-${++names}`;
      const complete = settingsFor(vault, { name, sync_interval_seconds: 24 * 3600, ...settings });
      const input = { tenantId: defaultTenantId, settings: complete, keys, now: new Date() };
      return (await read((tx) => createBackend(tx, input))).id;
    },
    allEnded: (count) =>
      vi.waitFor(
        async () => {
          const all = await cycles();
          if (all.length < count || all.some((cycle) => cycle.state === 'open'))
            throw new Error(`${all.filter((cycle) => cycle.state !== 'open').length} of ${count} cycles have ended`);
          return all;
        },
        { timeout: 60_000, interval: 50 },
      ),
    inStage: (stage) =>
      vi.waitFor(
        async () => {
          const found = (await cycles()).find((cycle) => cycle.state === 'open' && cycle.stage === stage);
          if (!found) throw new Error(`no cycle is in its ${stage} stage`);
          return found;
        },
        { timeout: 30_000, interval: 20 },
      ),
    async events(type) {
      const events = await read((tx) => listEvents(tx, 0, 10_000));
      return type ? events.filter((event) => event.type === type) : events;
    },
    keyCount: async () => (await read((tx) => listKeys(tx, { limit: 100_000 }))).length,
    close: () => cleanup.disposeAsync(),
  };
}
