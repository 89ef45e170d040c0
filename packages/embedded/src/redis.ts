import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyferryError } from '@keyferry/core';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { findRedis } from './redis-binary.ts';
import { lastWords, type ServerProcess, startServerProcess } from './server-process.ts';
import { refuseIfRunning } from './still-running.ts';

/** Loading a large append-only file takes time; beyond this it isn't coming. */
const readyDeadlineMs = 60_000;

export interface RedisOptions {
  /** A folder for data, configuration and log; made if it isn't there. */
  dir: string;
  /** Without one, or with 0, a free one. */
  port?: number;
  /** Whether data outlive a stop. */
  persistent: boolean;
}

export interface RedisServer {
  /** With the password, which is made anew at each start. */
  url: string;
  port: number;
  /** Saves, if it is persistent, and waits for the end. */
  stop(): Promise<void>;
  /** Stops if it runs, and starts again on the same port with the same password. */
  restart(): Promise<void>;
  /** Ends it at once with SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

/**
 * Starts Redis or Valkey on 127.0.0.1 alone, and resolves when it answers. It ends with this process.
 * @throws KeyferryError `setup_failed`, also if a server already runs on that folder.
 */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  const file = findRedis();
  const dir = resolve(options.dir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const configuration = join(dir, 'redis.conf');
  const pidFile = join(dir, 'redis.pid');
  const logFile = join(dir, 'redis.log');
  await refuseIfRunning('Redis', pidFile, configuration);

  const port = options.port || (await freePort());
  const password = randomBytes(24).toString('base64url');
  const url = `redis://:${password}@127.0.0.1:${port}`;
  rmSync(configuration, { force: true });
  // By file: command lines are seen by every account of the machine.
  writeFileSync(configuration, configurationText({ dir, pidFile, port, password, persistent: options.persistent }), {
    mode: 0o600,
  });

  const start = async (): Promise<ServerProcess> => {
    rmSync(logFile, { force: true });
    const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' };
    const server = await startServerProcess({ file, args: [configuration], env, account: undefined, logFile });
    try {
      await untilReady(url, server, logFile);
    } catch (error) {
      await server.end('SIGTERM');
      throw error;
    }
    return server;
  };

  let server = await start();
  const stop = () => server.end('SIGTERM');
  return {
    url,
    port,
    stop,
    async restart() {
      await stop();
      server = await start();
    },
    kill: () => server.end('SIGKILL'),
  };
}

function configurationText(of: {
  dir: string;
  pidFile: string;
  port: number;
  password: string;
  persistent: boolean;
}): string {
  const lines = [
    'bind 127.0.0.1',
    `port ${of.port}`,
    `requirepass ${of.password}`,
    `dir ${JSON.stringify(of.dir)}`,
    `pidfile ${JSON.stringify(of.pidFile)}`,
    // Keeps the configuration's path in the command line, by which a server that still runs is known.
    'set-proc-title no',
    // A queue that loses jobs under memory pressure is worse than one that refuses them.
    'maxmemory-policy noeviction',
    'save ""',
    `appendonly ${of.persistent ? 'yes' : 'no'}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Tries until the server answers, its data loaded, or has ended. */
async function untilReady(url: string, server: ServerProcess, logFile: string): Promise<void> {
  const deadline = performance.now() + readyDeadlineMs;
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    retryStrategy: () => 20,
    // While it loads its data it answers with an error; the client then waits before it counts as ready.
    enableReadyCheck: true,
  });
  redis.on('error', () => {});
  try {
    while (redis.status !== 'ready') {
      if (!server.running() || performance.now() > deadline)
        throw new KeyferryError('setup_failed', `Redis did not start: ${lastWords(logFile)}`);
      await sleep(20);
    }
  } finally {
    redis.disconnect();
  }
}
