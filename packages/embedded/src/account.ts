import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { KeyferryError } from '@keyferry/core';

/** A system account by its numbers, as `spawn` takes them. */
export interface Account {
  uid: number;
  gid: number;
}

/**
 * Whom Postgres has to run as, since it refuses to run as root: the owner of existing data, else `nobody`.
 * Undefined if we aren't root: then it runs as ourselves.
 */
export function accountForPostgres(cluster: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (existsSync(cluster)) {
    const { uid, gid } = statSync(cluster);
    if (uid !== 0) return { uid, gid };
  }
  const nobody = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'nobody');
  if (nobody === undefined)
    throw new KeyferryError(
      'setup_failed',
      'Postgres refuses to run as root, and there is no account `nobody` to run it as; start Keyferry as an ordinary user.',
    );
  return { uid: Number(nobody[2]), gid: Number(nobody[3]) };
}

/** Whether an account gets to a file or folder and may execute or enter it. Asked of the kernel, which knows of ACLs. */
export function canReach(account: Account, path: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', path], { cwd: '/', ...account }).status === 0;
}
