import { randomBytes } from 'node:crypto';
import { createSecretReader, openFlushChannel, type ReaderOptions, type SecretReader } from '@keyferry/access';
import { createConnectionPool } from '@keyferry/connections';
import { createEgressClient, parseEgress } from '@keyferry/egress';
import { type Authenticator, environmentAuthenticator, type Identities, openIdentities } from '@keyferry/identity';
import { runJob, type Services } from '@keyferry/pipeline';
import { createQueues, openRedis, waitForRedis } from '@keyferry/queue';
import {
  createAuditWriter,
  createKeyring,
  defaultTenantId,
  expectedJobs,
  loadMasterKey,
  openStore,
} from '@keyferry/store';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { newQueuePrefix, redisUrl } from '@keyferry/testing/support/redis.ts';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { thisMachine } from '@keyferry/testing/support/this-machine.ts';
import { builtInVaults, type VaultRegistry } from '@keyferry/vaults';
import { type Api, createApi, type NetworkOptions } from '../../src/index.ts';
import { recordedLog } from './recorded-log.ts';

export const token = 'a-token-for-tests-that-is-long';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape
  body: any;
  headers: Record<string, unknown>;
}

interface Installation {
  database: TestDatabase;
  prefix: string;
  masterKey: string;
}

export interface TestApi {
  app: Api;
  database: TestDatabase;
  services: Services;
  secrets: SecretReader;
  identities: Identities;
  /** What instances of one installation have in common. */
  installation: Installation;
  /** Lines of the log. */
  lines: string[];
  /** A request with the token, or with another, its body as JSON. */
  call(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    by?: string,
    headers?: object,
  ): Promise<Answer>;
  /** What the owner of the database sees. */
  query(sql: string, parameters?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Does all work that open cycles of a tenant wait for, here and now; of the default one where none is named. */
  work(tenantId?: string): Promise<void>;
  close(): Promise<void>;
}

export interface TestApiOptions {
  environment?: NodeJS.ProcessEnv;
  allowedEnvironment?: string[];
  allowedFiles?: string[];
  allowedEgress?: string;
  /** How it is reached; unencrypted, and without limits by default. */
  network?: Partial<NetworkOptions>;
  /** The token for revoking keys. */
  revokeToken?: string;
  /** Who is known beside those whose tokens the environment gives. */
  authenticators?: Authenticator[];
  /** Kinds of vaults beside those that are built in. */
  moreVaults?: VaultRegistry;
  /** Another instance, on the database and in Redis of this one. */
  beside?: TestApi;
  reader?: ReaderOptions;
  /** Whether nothing is read that the audit log doesn't have; true where it is left out. */
  auditReads?: boolean;
  now?: () => Date;
  /** Milliseconds that an issuer of tokens has to answer. */
  issuerDeadlineMs?: number;
  /** Ways to the services other than the direct ones. */
  through?: { database?: (url: string) => Promise<string>; redis?: (url: string) => Promise<string> };
}

/** The API in this process, with a database of its own. */
export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const { environment = {}, allowedEnvironment = [], allowedFiles = [], through = {}, beside } = options;
  const installation = beside?.installation ?? {
    database: await createDatabase(),
    prefix: newQueuePrefix(),
    masterKey: randomBytes(32).toString('base64'),
  };
  const { database, prefix, masterKey } = installation;
  const { log, lines } = recordedLog();
  const store = openStore({ connectionString: (await through.database?.(database.url)) ?? database.url });
  const redis = openRedis((await through.redis?.(redisUrl())) ?? redisUrl(), 'producer', () => {});
  await waitForRedis(redis, 10_000);
  const queues = createQueues(redis, prefix);
  const keyring = createKeyring(store, await loadMasterKey(store, { text: masterKey }));
  const registry = [...builtInVaults, ...(options.moreVaults ?? [])];
  const references = {
    environment,
    allowedEnvironment,
    allowedFiles,
    allowedIdentities: [],
    allowedVaults: thisMachine,
  };
  const connections = createConnectionPool({ registry, ...references });
  const services = { store, queues, keyring, connections, log, now: options.now ?? (() => new Date()) };
  const egress = createEgressClient({ policy: parseEgress(options.allowedEgress) });
  const secrets = createSecretReader(services, options.reader);
  const flushes = openFlushChannel(redis, prefix, secrets.flush, () => {});
  const identities = openIdentities({ ...services, egress, deadlineMs: options.issuerDeadlineMs });
  const app = await createApi({
    ...services,
    audit: createAuditWriter(store),
    auditReads: options.auditReads ?? true,
    secrets,
    flushes,
    registry,
    redis,
    egress,
    authenticators: [
      environmentAuthenticator({ token, revokeToken: options.revokeToken }),
      ...(options.authenticators ?? []),
      ...identities.authenticators,
    ],
    directory: identities.directory,
    network: { prefix, limits: { identity: 0, address: 0, refused: 0 }, trustedProxies: [], ...options.network },
    ...references,
  });

  return {
    app,
    database,
    services,
    secrets,
    identities,
    installation,
    lines,
    async call(method, path, body, by = token, more = {}) {
      const { statusCode, headers, payload } = await app.inject({
        method,
        url: path,
        headers: { authorization: `Bearer ${by}`, ...more },
        ...(body !== undefined && { payload: body as object }),
      });
      return { status: statusCode, headers, body: payload ? JSON.parse(payload) : null };
    },
    query: (sql, parameters = []) =>
      asAdmin(database.ownerUrl, async (client) => (await client.query(sql, parameters)).rows),
    async work(tenantId = defaultTenantId) {
      const later = new Date(services.now().getTime() + 3_600_000);
      for (;;) {
        const jobs = await store.inTenant(tenantId, (tx) => expectedJobs(tx, later));
        if (jobs.length === 0) return;
        for (const { attempts: _, ...job } of jobs) await runJob(services, job, new AbortController().signal);
      }
    },
    async close() {
      await app.close();
      await identities.close();
      flushes.close();
      await secrets.close();
      await egress.close();
      await connections.close();
      await queues.close();
      redis.disconnect();
      await store.close();
      if (!beside) await database.drop();
    },
  };
}
