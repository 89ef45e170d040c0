import { createConnectionPool } from '@keyferry/connections';
import { startVaultEmulator, type VaultEmulator, type VaultEmulatorOptions } from '@keyferry/emulators';
import { claimDue, reconcile, requestSync, runJob, type Services, sweep } from '@keyferry/pipeline';
import { createQueues, openRedis, type StageJob, startWorkers, type WorkerPool } from '@keyferry/queue';
import {
  type Backend,
  type BackendSettings,
  type Cycle,
  type CycleIssue,
  createBackend,
  createKeyring,
  defaultTenantId,
  getCycle,
  type Key,
  listEvents,
  listIssues,
  listKeys,
  loadMasterKey,
  openStore,
  openValue,
  type StoredEvent,
  type Tx,
  updateBackend,
} from '@keyferry/store';
import { builtInVaults, type VaultRegistry } from '@keyferry/vaults';
import pg from 'pg';
import { vi } from 'vitest';
import { settingsFor } from './backend-settings.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { newQueuePrefix, redisUrl } from './redis.ts';
import { thisMachine } from './this-machine.ts';

/** A clock that tests move. It starts at a round time and moves only when told. */
export class TestClock {
  #now = Date.UTC(2026, 0, 1, 12, 0, 0);

  now = (): Date => new Date(this.#now);

  advance(seconds: number): void {
    this.#now += seconds * 1000;
  }
}

export interface House {
  services: Services;
  database: TestDatabase;
  prefix: string;
  clock: TestClock;
  vault: VaultEmulator;
  tenantId: string;
  /** Registers a backend for the emulator's mount `secret`; anything can be set otherwise. */
  addBackend(settings?: Partial<BackendSettings>): Promise<Backend>;
  /** Changes a backend's settings, as a person does. */
  change(backend: Pick<Backend, 'id'>, settings: Partial<BackendSettings>): Promise<Backend>;
  /** Runs a full cycle to its end, a second of the clock later, on workers of this process. */
  cycle(backend: Backend): Promise<Cycle>;
  /** Waits for a cycle to end. */
  ended(cycleId: string): Promise<Cycle>;
  keys(): Promise<Key[]>;
  /** State by local path. */
  states(): Promise<Record<string, string>>;
  value(localPath: string): Promise<string>;
  events(type?: string): Promise<StoredEvent[]>;
  issues(cycleId: string): Promise<CycleIssue[]>;
  claimDue(): Promise<number>;
  reconcile(): Promise<number>;
  sweep(): ReturnType<typeof sweep>;
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Stops the workers of this process, so that a test can run jobs by hand. */
  stopWorkers(): Promise<void>;
  /** Runs one job here and now. */
  run(job: StageJob, signal?: AbortSignal): Promise<void>;
  /** Removes every backend with all it has. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export interface HouseOptions {
  vault?: VaultEmulatorOptions;
  attempts?: number;
  deadlineMs?: number;
  /** Kinds of vaults beside those that are built in. */
  moreVaults?: VaultRegistry;
}

/** Everything of Keyferry in one process, on a database and a queue prefix of its own, with a vault emulator. */
export async function openHouse(options: HouseOptions = {}): Promise<House> {
  const cleanup = new AsyncDisposableStack();
  const clock = new TestClock();
  const database = await createDatabase();
  cleanup.defer(() => database.drop());
  const vault = await startVaultEmulator({ now: () => clock.now().getTime(), ...options.vault });
  cleanup.defer(() => vault.close());
  vault.mounts.enable('secret', { type: 'kv', version: 2 });

  const store = openStore({ connectionString: database.url });
  cleanup.defer(() => store.close());
  const masterKey = await loadMasterKey(store, { text: Buffer.alloc(32, 7).toString('base64') });
  const prefix = newQueuePrefix();
  const producer = openRedis(redisUrl(), 'producer', () => {});
  cleanup.defer(() => producer.disconnect());
  await vi.waitUntil(() => producer.status === 'ready');
  const consumer = openRedis(redisUrl(), 'consumer', () => {});
  cleanup.defer(() => consumer.disconnect());
  const queues = createQueues(producer, prefix);
  cleanup.defer(() => queues.close());
  const connections = createConnectionPool({
    registry: [...builtInVaults, ...(options.moreVaults ?? [])],
    allowedEnvironment: [],
    environment: {},
    allowedFiles: [],
    allowedIdentities: [],
    allowedVaults: thisMachine,
    now: () => clock.now().getTime(),
    limits: {
      retryBaseMs: 1,
      retryMaxMs: 2,
      retryAfterCapMs: 2,
      breakerOpenMs: 2,
      breakerOpenMaxMs: 2,
      attempts: options.attempts ?? 2,
      ...(options.deadlineMs && { deadlineMs: options.deadlineMs }),
    },
  });
  cleanup.defer(() => connections.close());

  const services: Services = {
    store,
    queues,
    connections,
    keyring: createKeyring(store, masterKey),
    log: silentLog,
    now: clock.now,
    firstRetryMs: 1,
  };
  let workers: WorkerPool | null = startWorkers({
    redis: consumer,
    prefix,
    concurrency: { discover: 2, validate: 2, sync: 2, deprecate: 2, notify: 2 },
    run: (job, signal) => runJob(services, job, signal),
    onError: () => {},
    now: Date.now,
  });
  const stopWorkers = async () => {
    await workers?.drain(5_000);
    workers = null;
  };
  cleanup.defer(stopWorkers);

  const tenantId = defaultTenantId;
  const read = <T>(work: (tx: Tx) => Promise<T>) => store.inTenant(tenantId, work);
  const ended = (cycleId: string) =>
    vi.waitFor(
      async () => {
        const cycle = await read((tx) => getCycle(tx, cycleId));
        if (cycle.state === 'open') throw new Error(`the cycle is still in its ${cycle.stage} stage`);
        return cycle;
      },
      { timeout: 25_000, interval: 20 },
    );
  const allKeys = () => read((tx) => listKeys(tx, { limit: 10_000 }));
  let names = 0;

  return {
    services,
    database,
    prefix,
    clock,
    vault,
    tenantId,
    read,
    ended,
    stopWorkers,
    async addBackend(settings = {}) {
      const keys = await services.keyring.ofTenant(tenantId);
      const complete = settingsFor(vault, { name: `vault-${++names}`, ...settings });
      return await read((tx) => createBackend(tx, { tenantId, settings: complete, keys, now: clock.now() }));
    },
    async change({ id }, settings) {
      const keys = await services.keyring.ofTenant(tenantId);
      return await read((tx) => updateBackend(tx, { tenantId, id, settings, keys, now: clock.now() }));
    },
    async cycle(backend) {
      clock.advance(1);
      const { id } = await requestSync(services, { tenantId, backend: backend.id, requestedBy: 'test' });
      return await ended(id);
    },
    keys: allKeys,
    async states() {
      return Object.fromEntries((await allKeys()).map((key) => [key.local_path, key.state]));
    },
    async value(localPath) {
      const key = (await allKeys()).find((candidate) => candidate.local_path === localPath);
      const keys = await services.keyring.ofTenant(tenantId);
      return (await read((tx) => openValue(tx, key?.id ?? '', keys))).toString('utf8');
    },
    async events(type) {
      const events = await read((tx) => listEvents(tx, 0, 10_000));
      return type ? events.filter((event) => event.type === type) : events;
    },
    issues: (cycleId) => read((tx) => listIssues(tx, cycleId, { limit: 10_000 })),
    claimDue: () => claimDue(services),
    reconcile: () => reconcile(services, 0),
    sweep: () => sweep(services),
    run: (job, signal = new AbortController().signal) => runJob(services, job, signal),
    async clear() {
      const owner = new pg.Client({ connectionString: database.ownerUrl });
      await owner.connect();
      await owner.query('TRUNCATE keyferry.backends CASCADE');
      await owner.end();
    },
    close: () => cleanup.disposeAsync(),
  };
}

const silentLog: Services['log'] = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};
