import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { loadMasterKey } from '@keyferry/store';
import { type ApiClient, createApiClient } from '../api/client.ts';
import { readToken } from '../api/locate.ts';
import type { Home, Running } from '../home.ts';
import { plural } from '../output/format.ts';
import { withStore } from '../services/database.ts';
import { masterKeySource } from '../services/master-key-source.ts';
import { demoBackend, demoVariablePattern, demoVariables } from './demo-vaults.ts';
import { lockFolder } from './lock.ts';
import { startProcesses } from './processes.ts';
import { prepareDatabase, type Servers, startServers } from './servers.ts';
import type { UpSettings } from './settings.ts';
import { vaultTokenVariable, type WantedBackend } from './wanted-backend.ts';

export interface House {
  api: ApiClient;
  /** Backends for the demo's vaults, if this run has them. */
  demoBackends: WantedBackend[];
  /** Whether the database is this folder's own, so that nobody else's backends are in it. */
  ownDatabase: boolean;
  /** Rejects when a process ends by itself. */
  died: Promise<never>;
}

interface Opening {
  settings: UpSettings;
  home: Home;
  env: NodeJS.ProcessEnv;
  note: (line: string) => void;
  signal: AbortSignal;
}

/**
 * Starts everything, in the order in which one needs the other; `cleanup` ends it in the opposite one, so that processes
 * drain before the servers below them stop. Whatever can't be used is found before the processes are started.
 */
export async function openHouse(opening: Opening, cleanup: AsyncDisposableStack): Promise<House> {
  const { settings, home, env, note, signal } = opening;
  for (const folder of [home.folder, home.logs, home.postgres, home.redis]) mkdirSync(folder, { recursive: true });
  cleanup.defer(lockFolder(home.folder, home.lock));

  note('Starting Postgres, Redis and the vault ...');
  const servers = await startServers(settings, home, cleanup, note);
  signal.throwIfAborted();
  const applied = await prepareDatabase(servers);
  if (applied.length > 0) note(`Applied ${plural(applied.length, 'migration')} to the database.`);
  await withStore(servers.database, async (store) => (await loadMasterKey(store, masterKeySource(env, home))).close());
  signal.throwIfAborted();

  note('Starting API, scheduler and worker ...');
  const { apiUrl, died } = await startProcesses(settings, home.logs, childEnvironment(opening, servers), cleanup, note);
  const running: Running = {
    pid: process.pid,
    api_url: apiUrl,
    database_url: servers.database.url,
    redis_url: servers.redisUrl,
  };
  cleanup.defer(() => rmSync(home.running, { force: true }));
  writeFileSync(home.running, JSON.stringify(running), { mode: 0o600 });
  signal.throwIfAborted();
  return {
    api: createApiClient({ url: apiUrl, token: readToken(home) }),
    demoBackends: servers.demoVaults.map(({ kind, vault }) => demoBackend(kind, vault)),
    ownDatabase: settings.database === undefined,
    died,
  };
}

function childEnvironment(opening: Opening, { database, redisUrl, demoVaults }: Servers): NodeJS.ProcessEnv {
  const { env, home } = opening;
  const variables = demoVaults.length > 0 ? demoVariablePattern : vaultTokenVariable;
  const masterKey = masterKeySource(env, home);
  return {
    ...env,
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl,
    KEYFERRY_MASTER_KEY: masterKey.text ?? '',
    KEYFERRY_MASTER_KEY_FILE: masterKey.file ?? '',
    // Nobody but this machine is to reach it, and the report's address is plain.
    KEYFERRY_API_TLS_CERT_FILE: '',
    KEYFERRY_API_TLS_KEY_FILE: '',
    KEYFERRY_API_TLS_CLIENT_CA_FILE: '',
    // Its own token, in the place where other commands look for it.
    KEYFERRY_API_TOKEN: '',
    KEYFERRY_API_TOKEN_FILE: home.apiToken,
    KEYFERRY_ALLOWED_VAULTS: allowedVaults(opening),
    KEYFERRY_ALLOWED_ENV: [env.KEYFERRY_ALLOWED_ENV, variables].filter(Boolean).join(','),
    ...Object.assign({}, ...demoVaults.map(({ kind, vault }) => demoVariables(kind, vault))),
  };
}

/** Whoever starts this is the operator: the vault they name may be anywhere, and those of the demo are on this machine. */
function allowedVaults({ env, settings }: Opening): string {
  const named =
    settings.vault && URL.canParse(settings.vault.address) ? [new URL(settings.vault.address).hostname] : [];
  return [env.KEYFERRY_ALLOWED_VAULTS, ...thisMachine, ...named].filter(Boolean).join(',');
}

const thisMachine = ['127.0.0.0/8', '::1', 'localhost'];
