import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KeyferryError } from '@keyferry/core';
import { clusterOf, type PostgresPlace } from './postgres-place.ts';

const run = promisify(execFile);

/** The superuser. The application never works as this one: it would pass every row-level policy. */
export const administrator = 'keyferry_admin';

/** Nothing of the caller's environment but this: PGPORT, PGDATA and the like would change what the programs do. */
export function postgresEnvironment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' };
}

/**
 * Makes the cluster if there is none yet, else checks that it can be used. Returns the superuser's password.
 * @throws KeyferryError `setup_failed`
 */
export async function prepareCluster(place: PostgresPlace, durable: boolean): Promise<string> {
  const cluster = clusterOf(place.directory);
  const passwordFile = join(place.directory, 'password');
  if (!existsSync(cluster)) {
    await initialise(place, passwordFile, durable);
  } else {
    await checkCluster(place, cluster);
  }
  try {
    return readFileSync(passwordFile, 'utf8').trim();
  } catch {
    throw new KeyferryError('setup_failed', `The password of the database in ${place.directory} can't be read.`);
  }
}

async function initialise(place: PostgresPlace, passwordFile: string, durable: boolean): Promise<void> {
  // Made beside and renamed at the end: an initdb cut short leaves nothing that looks like a cluster.
  const partial = join(place.directory, 'cluster.partial');
  rmSync(partial, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  if (place.account !== undefined) chownSync(passwordFile, place.account.uid, place.account.gid);
  const args = [
    `--pgdata=${partial}`,
    `--username=${administrator}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    // Without a LANG in the environment the encoding would become SQL_ASCII.
    '--encoding=UTF8',
    '--locale=C',
    ...(durable ? [] : ['--no-sync']),
  ];
  try {
    await run(join(place.binaries, 'initdb'), args, { cwd: '/', env: postgresEnvironment(), ...place.account });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    const why = (stderr || message).trim().split('\n').slice(-3).join(' | ');
    throw new KeyferryError('setup_failed', `Postgres could not make its data folder in ${place.directory}: ${why}`);
  }
  renameSync(partial, clusterOf(place.directory));
}

async function checkCluster(place: PostgresPlace, cluster: string): Promise<void> {
  const ours = process.getuid?.();
  const owner = statSync(cluster).uid;
  if (ours !== undefined && ours !== 0 && owner !== ours)
    throw new KeyferryError(
      'setup_failed',
      `The database in ${cluster} belongs to another account (user id ${owner}); start Keyferry as that one or as root.`,
    );
  const { stdout } = await run(join(place.binaries, 'postgres'), ['--version'], { cwd: '/', ...place.account });
  const binary = /(\d+)/.exec(stdout)?.[1];
  const data = await run('/bin/cat', [join(cluster, 'PG_VERSION')], { cwd: '/', ...place.account });
  if (binary !== data.stdout.trim())
    throw new KeyferryError(
      'setup_failed',
      `The database in ${cluster} was made by Postgres ${data.stdout.trim()}, but the binaries in ${place.binaries} are Postgres ${binary}.`,
    );
}
