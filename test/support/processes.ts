import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { nodeFlags } from '@keyferry/telemetry';
import { thisMachineText } from './this-machine.ts';

export interface AppProcess {
  pid: number;
  /** Standard output and error so far. */
  output(): string;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

const root = new URL('../../', import.meta.url);

/** Starts an app as a process of its own, and resolves once it says that it has started. */
export async function startApp(name: 'scheduler' | 'worker' | 'api', env: Record<string, string>): Promise<AppProcess> {
  const entry = new URL(`apps/${name}/src/main.ts`, root).pathname;
  const child = spawn(process.execPath, [...nodeFlags, entry], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      KEYFERRY_HEALTH_PORT: '0',
      KEYFERRY_ALLOWED_VAULTS: thisMachineText,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`${name} ended with ${code} before it had started:\n${text}`);
    }),
  ]);
  return {
    pid: child.pid as number,
    output: () => text,
    async stop() {
      child.kill('SIGTERM');
      return await gone(child);
    },
    async kill() {
      child.kill('SIGKILL');
      await gone(child);
    },
  };
}

async function gone(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}
