import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from './database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(() => database.drop());

async function query(connectionString: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('a test file’s database has the schema, and what one writes no other sees', async () => {
  const other = await createDatabase();
  await query(database.ownerUrl, 'CREATE TABLE keyferry.mine ()');
  const tables = `SELECT count(*)::int AS count FROM pg_tables WHERE schemaname = 'keyferry'`;
  const [mine] = await query(database.ownerUrl, tables);
  const [others] = await query(other.ownerUrl, tables);
  expect(others?.count).toBeGreaterThan(5);
  expect(mine?.count).toBe(Number(others?.count) + 1);
  await other.drop();
});

test('tests connect as a login that row-level security binds', async () => {
  const [login] = await query(
    database.url,
    `SELECT rolsuper, rolbypassrls, pg_has_role('keyferry_app', 'MEMBER') AS app,
       pg_has_role('keyferry_dispatcher', 'MEMBER') AS dispatcher
     FROM pg_roles WHERE rolname = current_user`,
  );
  expect(login).toEqual({ rolsuper: false, rolbypassrls: false, app: true, dispatcher: false });
});
