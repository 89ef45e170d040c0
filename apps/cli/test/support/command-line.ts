import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/run.ts';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** What a command with `--json` printed. */
export const document = ({ stdout }: Ended) => JSON.parse(stdout);

/** Runs a command in this process, with nothing of this process's environment. */
export async function keyferry(args: string[], env: NodeJS.ProcessEnv, stdin = ''): Promise<Ended> {
  const io = { env, stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  io.stdin.end(stdin);
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    io[name].on('data', (chunk: Buffer) => {
      text[name] += chunk.toString();
    });
  const code = await run(args, io);
  io.stdout.end();
  io.stderr.end();
  await Promise.all([io.stdout, io.stderr].map((stream) => stream.closed || once(stream, 'close')));
  return { code, ...text };
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Started {
  child: ChildProcess;
  /** Resolves once `text` has been printed on either stream; rejects if the command ends before. */
  printed(text: string): Promise<void>;
  ended: Promise<Ended>;
}

/** Starts a command as a process of its own. */
export function startKeyferry(args: string[], env: NodeJS.ProcessEnv): Started {
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  const ended = once(child, 'close').then(([code]): Ended => ({ code, ...text }));
  const look = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      text[name] += chunk.toString();
      for (const again of look) again();
    });
  return {
    child,
    ended,
    printed: (wanted) =>
      new Promise((resolve, reject) => {
        const again = () => {
          if (`${text.stdout}${text.stderr}`.includes(wanted)) resolve();
        };
        look.add(again);
        again();
        ended.then(() => reject(new Error(`It ended before it printed "${wanted}":\n${text.stdout}${text.stderr}`)));
      }),
  };
}
