import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { migrate, openStore, waitForDatabase } from '@keyferry/store';
import pg from 'pg';
import { expect, inject, onTestFinished, test } from 'vitest';
import { asAdmin, withDatabase } from '../support/test-postgres.ts';

/** What docs/operations.md tells people to do on a Postgres of their own. */
const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const [bySuperuser, byOwner] = [...page.matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) => String(sql).split(';\n'));

const { adminUrl } = inject('postgres');
const run = randomBytes(4).toString('hex');
const password = randomBytes(16).toString('hex');
/** The server is shared by all tests: names get the run in them. */
const adapted = (sql: string) =>
  sql
    .replace(/<[^>]+>/g, password)
    .replace(/\bkeyferry_owner\b/g, `owner_${run}`)
    .replace(/\bkeyferry\b(?!_)/g, `own_${run}`)
    .trim();

async function execute(url: string, statements: string[] | undefined) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of (statements ?? []).map(adapted).filter((text) => text !== ''))
      await client.query(statement);
  } finally {
    await client.end();
  }
}

function urlOf(user: string) {
  const url = new URL(withDatabase(adminUrl, `own_${run}`));
  url.username = user;
  url.password = password;
  return url.href;
}

test('the roles of docs/operations.md are enough to migrate and to run, and no more than that', async () => {
  onTestFinished(() =>
    asAdmin(adminUrl, async (client) => {
      await client.query(`DROP DATABASE IF EXISTS own_${run} WITH (FORCE)`);
      await client.query(`DROP ROLE IF EXISTS own_${run}`);
      await client.query(`DROP OWNED BY owner_${run} CASCADE`);
      await client.query(`DROP ROLE owner_${run}`);
    }),
  );
  // The run's template has made the application's roles already, which elsewhere the owner makes.
  await execute(adminUrl, bySuperuser);
  await asAdmin(adminUrl, (client) =>
    client.query(`GRANT keyferry_app, keyferry_dispatcher TO owner_${run} WITH ADMIN OPTION`),
  );
  expect((await migrate({ connectionString: urlOf(`owner_${run}`) })).applied).not.toEqual([]);
  await execute(urlOf(`owner_${run}`), byOwner);

  const store = openStore({ connectionString: urlOf(`own_${run}`) });
  onTestFinished(() => store.close());
  await waitForDatabase(store, 1_000);
  const login = new pg.Client({ connectionString: urlOf(`own_${run}`) });
  await login.connect();
  onTestFinished(() => login.end());
  await expect(login.query('CREATE TABLE keyferry.mine ()')).rejects.toThrow(/permission denied/);
  await expect(login.query('DELETE FROM keyferry.audit_log')).rejects.toThrow(/permission denied/);
  await expect(login.query('SET ROLE keyferry_dispatcher')).rejects.toThrow(/permission denied/);
});
