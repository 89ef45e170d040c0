import { once } from 'node:events';
import { connect } from 'node:net';
import { startVaultEmulator } from '@keyferry/emulators';
import { expect, vi } from 'vitest';
import { addressOf } from '../../../support/api-address.ts';
import { createDatabase } from '../../../support/database.ts';
import { startApp } from '../../../support/processes.ts';
import { newQueuePrefix, redisUrl } from '../../../support/redis.ts';

export const token = 'a-token-for-attacks-that-is-long';
export const json = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };

/** What every value holds, so that one in the wrong place is seen. */
export const canary = 'canary-of-an-attack';

export interface Attacked extends AsyncDisposable {
  url: string;
  /** The backend that everything below `local/` is of; values are written to Keyferry alone. */
  backendId: string;
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Exactly these bytes, on a connection of their own, and all that is said until the server or a long silence ends it. */
  raw(bytes: string | Buffer): Promise<string>;
  /** Whether anything was put on what all objects of the API's process inherit. */
  polluted(): Promise<boolean>;
  output(): string;
}

interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

/** Loaded before anything else, so that a test can ask the process itself. */
const watcher = `process.on('SIGUSR2',()=>console.log('inherited: '+Object.keys(Object.prototype).length+' '+('polluted' in {})))`;

const silenceMs = 5_000;
/** Far beyond what anything may take on a slow machine: whoever comes so far hangs. */
const watchdogMs = 25_000;

/** The real API as a process, on a database of its own, with secrets that nobody may come by another way. */
export async function startAttacked(env: Record<string, string> = {}): Promise<Attacked> {
  const cleanup = new AsyncDisposableStack();
  const database = await createDatabase();
  cleanup.defer(() => database.drop());
  const vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const api = await startApp('api', {
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl(),
    KEYFERRY_QUEUE_PREFIX: newQueuePrefix(),
    KEYFERRY_MASTER_KEY: Buffer.alloc(32, 9).toString('base64'),
    KEYFERRY_API_TOKEN: token,
    KEYFERRY_API_PORT: '0',
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(watcher)}`,
    ...env,
  });
  cleanup.defer(() => api.stop().then(() => {}));
  const url = await addressOf(api);

  const send: Attacked['send'] = async (method, path, body, headers = {}) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { ...(body === undefined ? { authorization: json.authorization } : json), ...headers },
      redirect: 'manual',
      signal: AbortSignal.timeout(watchdogMs),
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const made = await send('POST', '/v1/federation/backends', {
    name: 'attacked',
    kind: 'hashicorp',
    sync_paths: ['local/*'],
    writes: 'local',
    config: { address: vault.url, mount: 'secret', auth: { method: 'token', token: vault.rootToken } },
  });
  expect(made.status, made.text).toBe(201);

  return {
    url,
    backendId: JSON.parse(made.text).id,
    send,
    raw: (bytes) => speak(Number(new URL(url).port), bytes),
    async polluted() {
      const before = api.output().split('inherited: ').length;
      process.kill(api.pid, 'SIGUSR2');
      const told = await vi.waitFor(() => {
        const answers = api.output().split('inherited: ');
        if (answers.length === before) throw new Error('the process has not answered');
        return answers.at(-1) ?? '';
      }, 10_000);
      return !told.startsWith('0 false');
    },
    output: () => api.output(),
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

/** Stores a value that tells which path it is of. */
export async function store(attacked: Attacked, path: string): Promise<void> {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  const { status, text } = await attacked.send('PUT', `/v1/secrets/${encoded}`, { value: valueAt(path) });
  expect(status, text).toBe(201);
}

export const valueAt = (path: string) => `${canary}<${path}>`;

/** Statuses of all answers in what was said. */
export const statusesIn = (said: string) =>
  [...said.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));

async function speak(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let text = '';
  socket.setEncoding('utf8');
  socket.setTimeout(silenceMs, () => socket.destroy());
  socket.on('error', () => {});
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  const closed = once(socket, 'close');
  socket.write(bytes);
  await closed;
  return text;
}
