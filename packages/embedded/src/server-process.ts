import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Account } from './account.ts';

/** How long a server may take to end in order. A large checkpoint takes seconds; a minute means that it hangs. */
const stopDeadlineMs = 60_000;

export interface ServerProcess {
  /** False once it has ended, for whatever reason. */
  running(): boolean;
  /** Sends a signal and waits for the end; one that outlives the deadline is killed. Nothing to do if it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export interface ServerCommand {
  file: string;
  args: readonly string[];
  env: Record<string, string>;
  /** Whom to run as, if not as ourselves. */
  account: Account | undefined;
  /** Takes what the server prints; appended to. */
  logFile: string;
}

/**
 * Starts a server as a child in a session of its own, so that a terminal's Ctrl-C reaches us alone and we end it last.
 * It doesn't outlive this process, even if that is killed.
 */
export async function startServerProcess(command: ServerCommand): Promise<ServerProcess> {
  const log = openSync(command.logFile, 'a', 0o600);
  const child = spawn(command.file, command.args, {
    // The account may be unable to enter our own working directory.
    cwd: '/',
    env: command.env,
    detached: true,
    stdio: ['ignore', log, log],
    ...command.account,
  });
  closeSync(log);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  const guardian = startGuardian(child.pid as number);
  const running = () => child.exitCode === null && child.signalCode === null;
  child.once('exit', () => guardian.kill('SIGKILL'));
  return {
    running,
    async end(signal) {
      if (!running()) return;
      child.kill(signal);
      const killer = setTimeout(() => child.kill('SIGKILL'), stopDeadlineMs);
      await exited;
      clearTimeout(killer);
    },
  };
}

/**
 * A shell that waits for the end of a pipe only we hold, and then stops the server. The kernel closes the pipe however
 * we end, so that SIGKILL leaves no server behind. SIGINT asks both Postgres and Redis to end at once, data saved.
 */
function startGuardian(pid: number): ChildProcess {
  const guardian = spawn('/bin/sh', ['-c', 'read -r _; kill -INT "$1"', 'keyferry-guardian', String(pid)], {
    cwd: '/',
    env: {},
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guardian.unref();
  // Our end of the pipe is a socket: it must not keep the process alive either.
  if (guardian.stdin instanceof Socket) guardian.stdin.unref();
  return guardian;
}

/** The last lines a server printed, on one line, for the message of a failed start. */
export function lastWords(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trim().split('\n');
  return lines.slice(-5).join(' | ');
}
