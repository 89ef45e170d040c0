import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { startPostgres, startRedis } from '@keyferry/embedded';
import { type CoordinationServices, requestSync } from '@keyferry/pipeline';
import { createQueues, openRedis, waitForRedis } from '@keyferry/queue';
import {
  type BackendSettings,
  type Cycle,
  createBackend,
  createKeyring,
  defaultTenantId,
  getCycle,
  type Keyring,
  loadMasterKey,
  migrate,
  openStore,
} from '@keyferry/store';
import { createLog } from '@keyferry/telemetry';
import { defaultSettings } from '../support/backend-settings.ts';
import { type AppProcess, startApp } from '../support/processes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

export interface BenchSite extends AsyncDisposable {
  /** The database as its owner. */
  ownerUrl: string;
  services: CoordinationServices;
  keyring: Keyring;
  startWorker(): Promise<BenchWorker>;
  startApi(env?: Record<string, string>): Promise<BenchApi>;
  /** Registers a backend of its own for the vault: another name for every run that has to start from nothing. */
  addBackend(vault: Pick<BackendSettings, 'kind' | 'config' | 'auth'> & Partial<BackendSettings>): Promise<string>;
  cycle(backendId: string): Promise<{ cycle: Cycle; milliseconds: number }>;
  /** The sum of all keys' row versions: it moves with every key row that is written. */
  keyWrites(): Promise<number>;
}

interface BenchWorker {
  peakMegabytes(): Promise<number>;
  stop(): Promise<void>;
}

interface BenchApi {
  pid: number;
  address: string;
  token: string;
  stop(): Promise<void>;
}

/** It may say that it has started before the line that tells where it listens has come through. */
async function addressOf(api: AppProcess): Promise<string> {
  for (let tries = 0; tries < 500; tries++) {
    const address = /"address":"([^"]+)"/.exec(api.output())?.[1];
    if (address) return address;
    await pause(20);
  }
  throw new Error('the API does not say where it listens');
}

/** Postgres as durable as in production, Redis, and the parts of Keyferry that ask for cycles. */
export async function openBenchSite(): Promise<BenchSite> {
  const cleanup = new AsyncDisposableStack();
  const data = temporaryFolder('bench-postgres');
  cleanup.defer(data.remove);
  const cache = temporaryFolder('bench-redis');
  cleanup.defer(cache.remove);
  const postgres = await startPostgres({ dataDir: data.path, durable: true });
  cleanup.defer(() => postgres.stop());
  await migrate({ connectionString: postgres.url });
  const redisServer = await startRedis({ dir: cache.path, persistent: false });
  cleanup.defer(() => redisServer.stop());

  const masterKey = Buffer.alloc(32, 5).toString('base64');
  const store = openStore({ connectionString: postgres.url });
  cleanup.defer(() => store.close());
  const keyring = createKeyring(store, await loadMasterKey(store, { text: masterKey }));
  const redis = openRedis(redisServer.url, 'producer', () => {});
  cleanup.defer(() => redis.disconnect());
  await waitForRedis(redis, 10_000);
  const queues = createQueues(redis, '{keyferry}');
  cleanup.defer(() => queues.close());
  const coordination = { store, queues, log: createLog({ name: 'bench', level: 'silent' }), now: () => new Date() };
  let names = 0;

  return {
    ownerUrl: postgres.url,
    services: coordination,
    keyring,
    async startWorker() {
      const worker = await startApp('worker', {
        DATABASE_URL: postgres.url,
        REDIS_URL: redisServer.url,
        KEYFERRY_MASTER_KEY: masterKey,
        KEYFERRY_LOG_LEVEL: 'error',
      });
      cleanup.defer(() => worker.kill());
      return {
        async peakMegabytes() {
          const status = await readFile(`/proc/${worker.pid}/status`, 'utf8');
          return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
        },
        stop: async () => void (await worker.stop()),
      };
    },
    async startApi(env = {}) {
      const token = 'a-token-for-the-bench';
      const api = await startApp('api', {
        DATABASE_URL: postgres.url,
        REDIS_URL: redisServer.url,
        KEYFERRY_MASTER_KEY: masterKey,
        KEYFERRY_API_TOKEN: token,
        // Counted as always, and never met: whoever asks here is one identity at one address.
        KEYFERRY_LIMIT_IDENTITY: '900000000',
        KEYFERRY_LIMIT_ADDRESS: '900000000',
        KEYFERRY_API_PORT: '0',
        ...env,
      });
      cleanup.defer(() => api.kill());
      return { pid: api.pid, address: await addressOf(api), token, stop: async () => void (await api.stop()) };
    },
    async addBackend(vault) {
      const name = `run-${++names}`;
      const settings = defaultSettings({
        ...vault,
        name,
        path_mapping: [{ from: `${name}/**`, to: 'bifrost/**' }],
        sync_interval_seconds: 24 * 3600,
      });
      const input = {
        tenantId: defaultTenantId,
        settings,
        keys: await keyring.ofTenant(defaultTenantId),
        now: new Date(),
      };
      return (await store.inTenant(defaultTenantId, (tx) => createBackend(tx, input))).id;
    },
    async cycle(backendId) {
      const { id } = await requestSync(coordination, {
        tenantId: defaultTenantId,
        backend: backendId,
        requestedBy: 'bench',
      });
      for (;;) {
        const cycle = await store.inTenant(defaultTenantId, (tx) => getCycle(tx, id));
        if (cycle.state === 'failed') throw new Error(`the cycle failed: ${cycle.error_code} ${cycle.error_message}`);
        if (cycle.closed_at) return { cycle, milliseconds: cycle.closed_at.getTime() - cycle.opened_at.getTime() };
        // Its times are in the row: asking more often would only take from what is measured.
        await pause(250);
      }
    },
    keyWrites: () =>
      store.inTenant(defaultTenantId, async (tx) => {
        const row = await tx
          .selectFrom('keys')
          .select((eb) => eb.fn.sum<number>('row_version').as('sum'))
          .executeTakeFirst();
        return Number(row?.sum ?? 0);
      }),
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}
