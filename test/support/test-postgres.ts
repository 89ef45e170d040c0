import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { startPostgres } from '@keyferry/embedded';
import { migrate } from '@keyferry/store';
import pg from 'pg';
import { temporaryFolder } from './temporary-folder.ts';

/** What test files need to make databases of their own. */
export interface TestPostgres {
  /** A superuser's URL; its database is none of the tests'. */
  adminUrl: string;
  /** Migrated, and never written to: databases are cloned from it. */
  template: string;
  /** A login that is a member of the application role alone: no superuser, no BYPASSRLS. */
  login: { user: string; password: string };
}

/** Starts Postgres, unless one is given, and makes the template and the login. */
export async function prepareTestPostgres(cleanup: AsyncDisposableStack): Promise<TestPostgres> {
  const given = process.env.KEYFERRY_TEST_DATABASE_URL;
  const adminUrl = given ?? (await startOwnPostgres(cleanup));
  // A given server may serve several runs at once: all names carry the run.
  const run = randomBytes(4).toString('hex');
  const template = `keyferry_test_${run}`;
  const login = { user: `keyferry_test_${run}`, password: randomBytes(16).toString('hex') };
  if (given) cleanup.defer(() => removeTraces(adminUrl, template, login.user));

  await asAdmin(adminUrl, (client) => client.query(`CREATE DATABASE ${template}`));
  await migrate({ connectionString: withDatabase(adminUrl, template) });
  await asAdmin(adminUrl, async (client) => {
    await client.query(`CREATE ROLE ${login.user} LOGIN PASSWORD '${login.password}' IN ROLE keyferry_app`);
  });
  return { adminUrl, template, login };
}

async function startOwnPostgres(cleanup: AsyncDisposableStack): Promise<string> {
  const folder = temporaryFolder('postgres');
  cleanup.defer(folder.remove);
  const postgres = await startPostgres({ dataDir: folder.path, durable: false });
  cleanup.defer(() => rmSync(postgres.directory, { recursive: true, force: true }));
  cleanup.defer(postgres.stop);
  return postgres.url;
}

async function removeTraces(adminUrl: string, template: string, user: string): Promise<void> {
  await asAdmin(adminUrl, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE starts_with(datname, $1)',
      [template],
    );
    for (const { datname } of rows) await client.query(`DROP DATABASE ${datname} WITH (FORCE)`);
    await client.query(`DROP ROLE IF EXISTS ${user}`);
  });
}

/** Runs `work` on one connection of the superuser's. */
export async function asAdmin<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The same server and user, another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}
