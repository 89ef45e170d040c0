import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KeyferryError } from '@keyferry/core';
import { nodeFlags } from '@keyferry/telemetry';
import { lastError } from './last-error.ts';

/** Starting waits for the database and Redis for up to 30 seconds itself. */
const startDeadlineMs = 60_000;
/** Somewhat more than a process gives itself to drain. */
const stopDeadlineMs = 30_000;

export interface Child {
  /** Rejects when it ends though nobody stopped it, with a sentence that says which and why. Never resolves. */
  readonly died: Promise<never>;
  /** Lets it drain, and waits for its end. */
  stop(): Promise<void>;
}

/**
 * Starts one of Keyferry's processes, and resolves once it says that it has started. Its log goes to `<logs>/<name>.log`,
 * where that of the run before is kept beside it. It is in a session of its own, so that Ctrl-C reaches us alone and we say
 * when it stops; it also stops when we are gone.
 */
export async function startChild(name: string, logs: string, env: NodeJS.ProcessEnv): Promise<Child> {
  const logFile = join(logs, `${name}.log`);
  if (existsSync(logFile)) renameSync(logFile, join(logs, `${name}.previous.log`));
  const log = openSync(logFile, 'a', 0o600);
  const main = fileURLToPath(new URL(`../../../${name}/src/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [...nodeFlags, main], {
    env,
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);

  let stopping = false;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const died = exited.then((): Promise<never> => {
    // Who stops it waits for its end by itself.
    if (stopping) return new Promise(() => {});
    throw lastError(name, logFile, child);
  });
  died.catch(() => {});
  const stop = async () => {
    stopping = true;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), stopDeadlineMs);
    await exited;
    clearTimeout(killer);
  };
  try {
    await Promise.race([started(name, child), died]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { died, stop };
}

function started(name: string, child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const seconds = startDeadlineMs / 1000;
    const late = () => reject(new KeyferryError('setup_failed', `The ${name} did not start in ${seconds} seconds.`));
    const timer = setTimeout(late, startDeadlineMs);
    child.once('message', () => {
      clearTimeout(timer);
      resolve();
    });
    child.once('exit', () => clearTimeout(timer));
  });
}
