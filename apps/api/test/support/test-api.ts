import { randomBytes } from 'node:crypto';
import { createConnectionPool } from '@keyferry/connections';
import { createEgressClient, parseEgress } from '@keyferry/egress';
import { runJob, type Services } from '@keyferry/pipeline';
import { createQueues, openRedis, waitForRedis } from '@keyferry/queue';
import { createKeyring, defaultTenantId, expectedJobs, loadMasterKey, openStore } from '@keyferry/store';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { newQueuePrefix, redisUrl } from '@keyferry/testing/support/redis.ts';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { builtInVaults, type VaultRegistry } from '@keyferry/vaults';
import { type Api, createApi } from '../../src/index.ts';
import { recordedLog } from './recorded-log.ts';

export const token = 'a-token-for-tests-that-is-long';

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape
  body: any;
  headers: Record<string, unknown>;
}

export interface TestApi {
  app: Api;
  database: TestDatabase;
  services: Services;
  /** Lines of the log. */
  lines: string[];
  /** A request with the token, or with another, its body as JSON. */
  call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, by?: string): Promise<Answer>;
  /** What the owner of the database sees. */
  query(sql: string, parameters?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Does all work that open cycles wait for, here and now. */
  work(): Promise<void>;
  close(): Promise<void>;
}

export interface TestApiOptions {
  environment?: NodeJS.ProcessEnv;
  allowedEnvironment?: string[];
  allowedFiles?: string[];
  allowedEgress?: string;
  /** The token for revoking keys. */
  revokeToken?: string;
  /** Kinds of vaults beside those that are built in. */
  moreVaults?: VaultRegistry;
  /** Ways to the services other than the direct ones. */
  through?: { database?: (url: string) => Promise<string>; redis?: (url: string) => Promise<string> };
}

/** The API in this process, with a database of its own. */
export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const { environment = {}, allowedEnvironment = [], allowedFiles = [], through = {} } = options;
  const database = await createDatabase();
  const { log, lines } = recordedLog();
  const store = openStore({ connectionString: (await through.database?.(database.url)) ?? database.url });
  const redis = openRedis((await through.redis?.(redisUrl())) ?? redisUrl(), 'producer', () => {});
  await waitForRedis(redis, 10_000);
  const queues = createQueues(redis, newQueuePrefix());
  const keyring = createKeyring(store, await loadMasterKey(store, { text: randomBytes(32).toString('base64') }));
  const registry = [...builtInVaults, ...(options.moreVaults ?? [])];
  const references = { environment, allowedEnvironment, allowedFiles, allowedIdentities: [] };
  const connections = createConnectionPool({ registry, ...references });
  const services = { store, queues, keyring, connections, log, now: () => new Date() };
  const egress = createEgressClient({ policy: parseEgress(options.allowedEgress) });
  const app = await createApi({
    ...services,
    registry,
    redis,
    egress,
    token,
    revokeToken: options.revokeToken,
    ...references,
  });

  return {
    app,
    database,
    services,
    lines,
    async call(method, path, body, by = token) {
      const { statusCode, headers, payload } = await app.inject({
        method,
        url: path,
        headers: { authorization: `Bearer ${by}` },
        ...(body !== undefined && { payload: body as object }),
      });
      return { status: statusCode, headers, body: payload ? JSON.parse(payload) : null };
    },
    query: (sql, parameters = []) =>
      asAdmin(database.ownerUrl, async (client) => (await client.query(sql, parameters)).rows),
    async work() {
      const later = new Date(Date.now() + 3_600_000);
      for (;;) {
        const jobs = await store.inTenant(defaultTenantId, (tx) => expectedJobs(tx, later));
        if (jobs.length === 0) return;
        for (const { attempts: _, ...job } of jobs) await runJob(services, job, new AbortController().signal);
      }
    },
    async close() {
      await app.close();
      await egress.close();
      await connections.close();
      await queues.close();
      redis.disconnect();
      await store.close();
      await database.drop();
    },
  };
}
