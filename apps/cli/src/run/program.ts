import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { KeyferryError } from '@keyferry/core';

/** A terminal sends them to us and the program alike. */
const ofTerminals = ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
const ofOthers = ['SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const;

/**
 * Runs a program with this environment and our standard streams until it ends, and hands on signals meanwhile. Returns its
 * exit code; 128 and the signal's number if a signal ended it. Rejects with `usage_invalid` if it can't be started.
 */
export async function runProgram(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { env, stdio: 'inherit' });
  const terminal = hasTerminal();
  const handlers = [
    ...ofTerminals.map((signal) => [signal, () => void (terminal || child.kill(signal))] as const),
    ...ofOthers.map((signal) => [signal, () => void child.kill(signal)] as const),
  ];
  for (const [signal, handle] of handlers) process.on(signal, handle);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(new KeyferryError('usage_invalid', `${file} can't be started (${error.code ?? 'unknown'}).`)),
      );
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
    });
  } finally {
    for (const [signal, handle] of handlers) process.off(signal, handle);
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
