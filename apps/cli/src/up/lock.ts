import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { KeyferryError } from '@keyferry/core';
import { startOf } from './process-start.ts';

interface Holder {
  pid: number;
  /** When that process began: another may have its id by now. */
  start: string;
}

/**
 * Takes a state folder for this process: two that work on the same data would destroy them. Returns what gives it back.
 * Throws `already_running`.
 */
export function lockFolder(folder: string, file: string): () => void {
  const me: Holder = { pid: process.pid, start: startOf(process.pid) ?? '' };
  while (!tryLock(folder, file, me)) breakIfStale(folder, file);
  return () => rmSync(file, { force: true });
}

function tryLock(folder: string, file: string, me: Holder): boolean {
  try {
    writeFileSync(file, JSON.stringify(me), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new KeyferryError(
      'setup_failed',
      `The state folder ${folder} can't be written (${(error as NodeJS.ErrnoException).code}).`,
    );
  }
}

/**
 * Removes the lock of a process that is gone. It is moved aside and read again there: of two that find it stale, one could
 * otherwise remove what the other has just taken.
 */
function breakIfStale(folder: string, file: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    refuseIfAlive(folder, file);
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    refuseIfAlive(folder, aside);
    rmSync(aside);
  } catch (error) {
    renameSync(aside, file);
    throw error;
  }
}

function refuseIfAlive(folder: string, file: string): void {
  const holder = parse(readFileSync(file, 'utf8'));
  if (holder && startOf(holder.pid) === holder.start)
    throw new KeyferryError('already_running', `Keyferry already runs in ${folder} (process ${holder.pid}).`);
}

function parse(text: string): Holder | null {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    // Cut short by a crash of the machine.
    return null;
  }
}
