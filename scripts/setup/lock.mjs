import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from './common.mjs';

const heartbeatMs = 2_000;
/** A holder that hasn't shown itself for so long is gone, even if another process has its id by now. */
const staleMs = 30_000;

/**
 * Runs `work` while no other process does: two installs at once would pull each other's files away.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(file, work) {
  let told = false;
  while (!tryLock(file)) {
    if (breakIfStale(file)) continue;
    if (!told) say('waiting for another set-up of this folder to end');
    told = true;
    await sleep(200);
  }
  const heartbeat = setInterval(() => utimesSync(file, new Date(), new Date()), heartbeatMs);
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    process.removeListener('exit', release);
    release();
  }
}

/** @param {string} file */
function tryLock(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes the lock of a process that is gone. Moved aside first and read again there: of two that find it stale, one
 * could otherwise remove the lock that the other has just taken.
 * @param {string} file
 */
function breakIfStale(file) {
  const aside = `${file}.${process.pid}`;
  try {
    if (!isStale(file)) return false;
    renameSync(file, aside);
    if (!isStale(aside)) {
      renameSync(aside, file);
      return false;
    }
    rmSync(aside);
    return true;
  } catch (error) {
    // Released or broken by somebody else meanwhile.
    if (error.code === 'ENOENT') return true;
    throw error;
  }
}

/** @param {string} file */
function isStale(file) {
  const ageMs = Date.now() - statSync(file).mtimeMs;
  const pid = Number(readFileSync(file, 'utf8'));
  // Empty for an instant between its creation and the writing of the id.
  if (pid === 0) return ageMs > heartbeatMs;
  return ageMs > staleMs || !isAlive(pid);
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
