import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** When a process began, in the system's words, or null if there is none. With its id it names one process for ever. */
export function startOf(pid: number): string | null {
  if (process.platform === 'linux') return startOnLinux(pid);
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() || null;
}

function startOnLinux(pid: number): string | null {
  try {
    // The name before it stands in parentheses and may hold anything; the start is the 22nd field of all.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    // A process that has ended, and whose parent hasn't noticed, runs nothing.
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
