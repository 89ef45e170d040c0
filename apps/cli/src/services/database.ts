import { databaseProtocols, KeyferryError, type MasterKeySource } from '@keyferry/core';
import { loadMasterKey, migrate, openStore, type Store, waitForDatabase } from '@keyferry/store';
import { addressOf } from './address.ts';

const deadlineMs = 10_000;

/** A database to look at, and the variable that named it. */
export interface DatabasePlace {
  url: string;
  variable: string;
}

/** Which database the environment names for migrations, which need its owner. */
export function ownersDatabase(env: NodeJS.ProcessEnv): DatabasePlace | null {
  if (env.DATABASE_OWNER_URL) return { url: env.DATABASE_OWNER_URL, variable: 'DATABASE_OWNER_URL' };
  return env.DATABASE_URL ? { url: env.DATABASE_URL, variable: 'DATABASE_URL' } : null;
}

/** Applies what is missing, and returns its names. Throws `config_invalid` if the login isn't the owner's. */
export async function migrateDatabase(place: DatabasePlace): Promise<string[]> {
  return await explained(place, async () => {
    try {
      return (await migrate({ connectionString: place.url })).applied;
    } catch (error) {
      if (stateOf(error) !== '42501') throw error;
      throw new KeyferryError(
        'config_invalid',
        `The user of ${place.variable} may not change the database: set DATABASE_OWNER_URL to its owner's.`,
      );
    }
  });
}

/**
 * Looks at a database as the application does: bound by row-level security. Throws `database_outdated` if it hasn't this
 * version's schema.
 */
export async function withStore<T>(place: DatabasePlace, work: (store: Store) => Promise<T>): Promise<T> {
  return await explained(place, async () => {
    const store = openStore({ connectionString: place.url, applicationName: 'keyferry-cli', maxConnections: 1 });
    try {
      await waitForDatabase(store, deadlineMs);
      return await work(store);
    } finally {
      await store.close();
    }
  });
}

/** Whether the database has been given its master key. Nothing is made where it has none. */
export async function checkMasterKey(store: Store, source: MasterKeySource): Promise<'fits' | 'none yet'> {
  const known = await store.global.selectFrom('master_keys').select('id').limit(1).execute();
  if (known.length === 0) return 'none yet';
  await (await loadMasterKey(store, source)).close();
  return 'fits';
}

/** Runs something against a database; what the server or the driver refuses becomes a sentence that names the server. */
async function explained<T>({ url, variable }: DatabasePlace, work: () => Promise<T>): Promise<T> {
  const server = `Postgres at ${addressOf(url, variable, databaseProtocols)}`;
  try {
    return await work();
  } catch (error) {
    if (error instanceof KeyferryError) {
      if (error.code !== 'database_unavailable') throw error;
      throw new KeyferryError('database_unavailable', `${server} did not answer.`);
    }
    const code = stateOf(error);
    const { username, pathname } = new URL(url);
    if (code.startsWith('28'))
      throw new KeyferryError('database_unavailable', `${server} refused the login "${username}".`);
    if (code === '3D000')
      throw new KeyferryError('database_unavailable', `${server} has no database "${pathname.slice(1)}".`);
    throw new KeyferryError('database_unavailable', `${server} can't be used${code && ` (${code})`}.`);
  }
}

/** The SQLSTATE or the system's code of an error, or an empty text. */
const stateOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '');
