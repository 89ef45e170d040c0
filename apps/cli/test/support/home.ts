import { chmodSync } from 'node:fs';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { onTestFailed } from 'vitest';
import { type Started, startKeyferry } from './command-line.ts';

/** A state folder for `keyferry up`, and commands that work on it. */
export function temporaryHome() {
  const folder = temporaryFolder('home');
  // Postgres doesn't run as root, but has to enter it.
  chmodSync(folder.path, 0o755);
  const env = { KEYFERRY_HOME: folder.path };
  return {
    ...folder,
    env,
    /** Starts a command that a failed test doesn't leave behind. */
    start(...args: string[]): Started {
      const started = startKeyferry(args, env);
      onTestFailed(() => void started.child.kill('SIGTERM'));
      return started;
    },
  };
}
