import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyferryError } from '@keyferry/core';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { administrator, postgresEnvironment, prepareCluster } from './postgres-cluster.ts';
import { choosePostgresPlace, clusterOf } from './postgres-place.ts';
import { lastWords, type ServerProcess, startServerProcess } from './server-process.ts';
import { refuseIfRunning } from './still-running.ts';

/** Replaying what a crash left takes time; beyond this it isn't coming. */
const readyDeadlineMs = 120_000;

export interface PostgresOptions {
  /** A folder for data, password and log; made if it isn't there. */
  dataDir: string;
  /** Without one, or with 0, a free one. */
  port?: number;
  /** False gives up safety at a crash of the machine for speed: for tests. */
  durable: boolean;
  /** What the server prints, of this run alone. `postgres.log` beside the data, if left out. */
  logFile?: string;
}

export interface PostgresServer {
  /** The superuser's URL of the database `keyferry`. */
  url: string;
  port: number;
  /** Where the data really are: as root not always in `dataDir`. */
  directory: string;
  /** A sentence for people if they aren't in `dataDir`. */
  note: string | undefined;
  /** Cuts connections, saves, and waits for the end. */
  stop(): Promise<void>;
  /** Stops if it runs, and starts again on the same port. */
  restart(): Promise<void>;
}

/**
 * Starts Postgres on 127.0.0.1 alone, with a database `keyferry`, and resolves when it takes connections. As root it
 * runs under an unprivileged account. It ends with this process.
 * @throws KeyferryError `setup_failed`, also if a server already runs on that folder.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const place = await choosePostgresPlace(options.dataDir);
  const cluster = clusterOf(place.directory);
  await refuseIfRunning('Postgres', join(cluster, 'postmaster.pid'), cluster);
  const password = await prepareCluster(place, options.durable);
  const port = options.port || (await freePort());
  const logFile = options.logFile ?? join(place.directory, 'postgres.log');
  const address = `postgres://${administrator}:${password}@127.0.0.1:${port}`;
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'log_checkpoints=off',
    ...(options.durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ];

  const start = async (): Promise<ServerProcess> => {
    rmSync(logFile, { force: true });
    const server = await startServerProcess({
      file: join(place.binaries, 'postgres'),
      args: ['-D', cluster, ...settings.flatMap((setting) => ['-c', setting])],
      env: postgresEnvironment(),
      account: place.account,
      logFile,
    });
    try {
      await makeDatabase(await connect(`${address}/postgres`, server, logFile));
    } catch (error) {
      await server.end('SIGINT');
      throw error;
    }
    return server;
  };

  let server = await start();
  // SIGINT is Postgres' "fast" shutdown: it doesn't wait for clients to leave.
  const stop = () => server.end('SIGINT');
  return {
    url: `${address}/keyferry`,
    port,
    directory: place.directory,
    note: place.note,
    stop,
    async restart() {
      await stop();
      server = await start();
    },
  };
}

/** Tries until the server takes a connection, or has ended. */
async function connect(url: string, server: ServerProcess, logFile: string): Promise<pg.Client> {
  const deadline = performance.now() + readyDeadlineMs;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    // A connection cut later is the server's stop; without a listener it would end our process.
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch {
      if (!server.running() || performance.now() > deadline)
        throw new KeyferryError('setup_failed', `Postgres did not start: ${lastWords(logFile)}`);
      await sleep(20);
    }
  }
}

async function makeDatabase(client: pg.Client): Promise<void> {
  try {
    const { rowCount } = await client.query(`SELECT FROM pg_database WHERE datname = 'keyferry'`);
    if (rowCount === 0) await client.query('CREATE DATABASE keyferry');
  } finally {
    await client.end();
  }
}
