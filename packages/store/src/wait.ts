import { setTimeout as pause } from 'node:timers/promises';
import { KeyferryError } from '@keyferry/core';
import { sql } from 'kysely';
import { asStoreError, type Store } from './database.ts';
import { unappliedMigrations } from './migrate.ts';

const pauseMs = 500;

/** Whether the database answers: the cheapest question there is. Rejects with `database_unavailable`. */
export async function pingDatabase(store: Store): Promise<void> {
  try {
    await sql`SELECT 1`.execute(store.global);
  } catch (error) {
    throw asStoreError(error);
  }
}

/**
 * Resolves once the database answers, has this version's tables, and the connection acts under row-level security. While it
 * is away it is asked again until the deadline, then throws `database_unavailable`; anything else throws at once.
 */
export async function waitForDatabase(store: Store, deadlineMs: number): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    try {
      await checkRole(store);
      await checkSchema(store);
      return;
    } catch (error) {
      const known = asStoreError(error);
      const away = known instanceof KeyferryError && known.code === 'database_unavailable';
      if (!away || Date.now() > deadline) throw known;
      await pause(pauseMs);
    }
  }
}

async function checkSchema(store: Store): Promise<void> {
  const pending = await unappliedMigrations(store.global);
  if (pending.length > 0)
    throw new KeyferryError('database_outdated', `The database lacks these migrations: ${pending.join(', ')}.`);
}

async function checkRole(store: Store): Promise<void> {
  const { rows } = await sql<{ unsafe: boolean }>`
    SELECT rolsuper OR rolbypassrls AS unsafe FROM pg_roles WHERE rolname = current_user`.execute(store.global);
  if (rows[0]?.unsafe !== false)
    throw new KeyferryError('database_role_unsafe', 'The database connection is not bound by row-level security.');
}
