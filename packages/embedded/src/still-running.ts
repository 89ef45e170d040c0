import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyferryError } from '@keyferry/core';

/** How long a server that a dying process left behind may take to end before we call it somebody's. */
const patienceMs = 3_000;

/**
 * Makes sure that nobody serves a folder yet: two servers on the same data destroy them.
 * @param pidFile Its first line is the process id of the server that was started last.
 * @param marker A path that stands in that server's command line and in no other's.
 * @throws KeyferryError `setup_failed` if the server runs and doesn't end within a few seconds.
 */
export async function refuseIfRunning(name: string, pidFile: string, marker: string): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const pid = Number.parseInt(readIfThere(pidFile), 10);
    const command = commandLine(pid);
    if (command === '') return;
    if (!command.includes(marker)) {
      // The id went to another process after a crash. Postgres can't tell the two apart and would refuse to start.
      rmSync(pidFile, { force: true });
      return;
    }
    if (performance.now() > deadline)
      throw new KeyferryError(
        'setup_failed',
        `${name} already runs on ${marker} (process ${pid}): another Keyferry works in this folder; end that one first.`,
      );
    await sleep(50);
  }
}

/** The command line of a process, or an empty string if there is none. */
function commandLine(pid: number): string {
  if (!(pid > 0)) return '';
  if (process.platform !== 'linux')
    return spawnSync('ps', ['-ww', '-p', String(pid), '-o', 'command='], { encoding: 'utf8' }).stdout ?? '';
  return readIfThere(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
