import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EmulatorKind } from '@keyferry/emulators';

const checkout = fileURLToPath(new URL('../../../', import.meta.url));

/** Where `keyferry up` keeps its state: `.keyferry/` of the checkout, unless KEYFERRY_HOME names another folder. */
export function homeOf(env: NodeJS.ProcessEnv) {
  const folder = env.KEYFERRY_HOME ? resolve(env.KEYFERRY_HOME) : join(checkout, '.keyferry');
  return {
    folder,
    /** Who runs here, and where; see `Running`. */
    running: join(folder, 'running.json'),
    lock: join(folder, 'up.lock'),
    apiToken: join(folder, 'api-token'),
    masterKey: join(folder, 'master.key'),
    logs: join(folder, 'logs'),
    postgres: join(folder, 'data', 'postgres'),
    redis: join(folder, 'data', 'redis'),
    /** Where a demo vault listens, with its credentials, and what it holds. */
    demoVault(kind: EmulatorKind) {
      const name = kind === 'hashicorp' ? 'demo-vault.json' : `demo-${kind}.json`;
      return { address: join(folder, name), secrets: join(folder, 'data', name) };
    },
  };
}

export type Home = ReturnType<typeof homeOf>;

/** What a `keyferry up` leaves for other commands while it runs. Only its owner can read it. */
export interface Running {
  pid: number;
  api_url: string;
  database_url: string;
  redis_url: string;
}

export interface DemoVault {
  url: string;
  control_token: string;
}

/** One of the files above as JSON, or null if it isn't there or holds something else. */
export function readHomeFile<Content>(file: string): Content | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Content;
  } catch {
    return null;
  }
}
