import { readdir, readFile } from 'node:fs/promises';
import { KeyferryError } from '@keyferry/core';
import { Kysely, PostgresDialect, type QueryExecutorProvider, sql } from 'kysely';
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration';
import pg from 'pg';
import { asStoreError } from './database.ts';

const folder = new URL('../migrations/', import.meta.url);

/** Numbered SQL files, append-only from the first release on. There is no way down: restore a backup instead. */
const provider: MigrationProvider = {
  async getMigrations() {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
    const entries = names.map(async (name): Promise<[string, Migration]> => {
      const text = await readFile(new URL(name, folder), 'utf8');
      return [name.replace(/\.sql$/, ''), { up: async (db) => void (await sql.raw(text).execute(db)) }];
    });
    return Object.fromEntries(await Promise.all(entries));
  },
};

/** Brings the database to this version's schema, as its owner. Several may try at once: one does it, the others wait. */
export async function migrate(options: { connectionString: string }): Promise<{ applied: string[] }> {
  return await asOwner(options, async (owner) => {
    const { error, results } = await migratorOf(owner).migrateToLatest();
    if (error) throw asStoreError(error);
    return { applied: (results ?? []).map((result) => result.migrationName) };
  });
}

/** Names of migrations that are still to be applied. Throws `database_too_new` if the database has unknown ones. */
export async function pendingMigrations(options: { connectionString: string }): Promise<string[]> {
  return await asOwner(options, (owner) => unappliedMigrations(owner));
}

/** The same on a connection that is there. A database without any of our tables makes it throw `database_outdated`. */
export async function unappliedMigrations(db: QueryExecutorProvider): Promise<string[]> {
  const known = Object.keys(await provider.getMigrations());
  const { rows } = await sql<{ name: string }>`SELECT name FROM keyferry.migrations`.execute(db);
  const applied = rows.map((row) => row.name);
  const unknown = applied.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new KeyferryError(
      'database_too_new',
      `The database has migrations this version lacks: ${unknown.join(', ')}.`,
    );
  return known.filter((name) => !applied.includes(name));
}

function migratorOf(db: Kysely<unknown>): Migrator {
  return new Migrator({
    db,
    provider,
    migrationTableName: 'migrations',
    migrationLockTableName: 'migrations_lock',
    migrationTableSchema: 'keyferry',
  });
}

async function asOwner<T>(
  options: { connectionString: string },
  work: (db: Kysely<unknown>) => Promise<T>,
): Promise<T> {
  const pool = new pg.Pool({ connectionString: options.connectionString, max: 1, connectionTimeoutMillis: 10_000 });
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    return await work(db);
  } catch (error) {
    throw asStoreError(error);
  } finally {
    await db.destroy();
  }
}
