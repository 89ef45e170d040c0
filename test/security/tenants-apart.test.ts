import { KeyferryError } from '@keyferry/core';
import * as exported from '@keyferry/store';
import {
  createKeyring,
  createTenant,
  defaultTenantId,
  type Keyring,
  loadMasterKey,
  Overtaken,
  openStore,
  type Store,
  type Tx,
} from '@keyferry/store';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type Everything, oneOfEverything } from '../support/one-of-everything.ts';
import { phantomOf } from '../support/phantom.ts';
import { rowsOfTenant, type TenantRows, tenantTables } from '../support/rows-of-tenant.ts';
import { casesOfAccess } from './apart/access.ts';
import type { Case, Try } from './apart/case.ts';
import { casesOfCycles } from './apart/cycles.ts';
import { exempt } from './apart/exempt.ts';
import { casesOfKeys } from './apart/keys.ts';
import { textOf } from './apart/outcome.ts';
import { casesOfSettings } from './apart/settings.ts';

/**
 * Invariant 10: tenants don't meet. Every function of the store is called for one tenant with what another one has, and every
 * table is asked without naming a tenant. A function that is new has to be added in `apart/`, as a case of one line or, where
 * it can't bring two tenants together, with the reason. What HTTP lets through is looked at in apps/api.
 */

const cases: Record<string, Case> = { ...casesOfKeys, ...casesOfCycles, ...casesOfSettings, ...casesOfAccess };
const now = new Date();
const limits = { max_backends: null, max_keys: null, max_open_cycles: null };

let database: TestDatabase;
let store: Store;
let keyring: Keyring;
let theirs: Everything;
let mine: Everything;
let theirRows: TenantRows;

beforeAll(async () => {
  database = await createDatabase();
  store = openStore({ connectionString: database.url });
  keyring = createKeyring(store, await loadMasterKey(store, { text: Buffer.alloc(32, 5).toString('base64') }));
  const { id } = await store.asOperator((tx) => createTenant(tx, { name: 'mine', limits, by: 'x', now }));
  theirs = await oneOfEverything({ store, keyring }, defaultTenantId, 'theirs', now);
  mine = await oneOfEverything({ store, keyring }, id, 'mine', now);
  theirRows = await rowsOfTenant(database.ownerUrl, theirs.tenantId);
});
afterAll(async () => {
  await theirRows.close();
  await store.close();
  await database.drop();
});

test('the other tenant has a row in every table that has tenants', async () => {
  const dump = await theirRows.dump();
  expect(Object.keys(dump)).toEqual([...(await tenantTables(database.ownerUrl)), 'tenants']);
  expect(Object.entries(dump).flatMap(([table, rows]) => (rows === '' ? [table] : []))).toEqual([]);
});

describe('without a condition on the tenant', () => {
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: database.url, options: '-c role=keyferry_app -c search_path=keyferry' });
    await client.connect();
  });
  afterAll(() => client.end());

  /** A statement of my tenant's, as the application's role. */
  async function asMine(text: string): Promise<pg.QueryResult> {
    await client.query(`BEGIN; SET LOCAL keyferry.tenant = '${mine.tenantId}'`);
    try {
      const result = await client.query(text);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
  }
  const refused = /row-level security|permission denied/;
  const nothingOrRefused = /^0 rows$|row-level security|permission denied/;

  test('no table shows a row of another tenant', async () => {
    for (const table of await tenantTables(database.ownerUrl)) {
      const { rows } = await asMine(`SELECT DISTINCT tenant_id FROM ${table}`);
      expect([table, rows]).toEqual([table, [{ tenant_id: mine.tenantId }]]);
    }
    expect((await asMine('SELECT id FROM tenants')).rows).toEqual([{ id: mine.tenantId }]);
  });

  test('no row of another tenant is changed, taken over, locked or removed', async () => {
    const before = await theirRows.dump();
    for (const table of await tenantTables(database.ownerUrl))
      for (const statement of [
        `UPDATE ${table} SET tenant_id = tenant_id WHERE tenant_id <> '${mine.tenantId}'`,
        `UPDATE ${table} SET tenant_id = '${mine.tenantId}' WHERE tenant_id = '${theirs.tenantId}'`,
        `DELETE FROM ${table} WHERE tenant_id <> '${mine.tenantId}'`,
        `SELECT FROM ${table} WHERE tenant_id <> '${mine.tenantId}' FOR UPDATE`,
      ]) {
        const outcome = await asMine(statement).then(
          ({ rowCount }) => `${rowCount} rows`,
          ({ message }: Error) => message,
        );
        expect([statement, outcome]).toEqual([statement, expect.stringMatching(nothingOrRefused)]);
      }
    expect(await theirRows.dump()).toEqual(before);
  });

  test('no row is given to another tenant, neither a new one nor one of mine', async () => {
    const before = await theirRows.dump();
    for (const table of await tenantTables(database.ownerUrl)) {
      const columns = await ownColumns(table);
      const values = columns.map((name) => (name === 'tenant_id' ? `'${theirs.tenantId}'::uuid` : name));
      const made = `INSERT INTO ${table} (${columns}) SELECT ${values} FROM ${table} LIMIT 1`;
      await expect(asMine(made), table).rejects.toThrow(refused);
      await expect(asMine(`UPDATE ${table} SET tenant_id = '${theirs.tenantId}'`), table).rejects.toThrow(refused);
    }
    expect(await theirRows.dump()).toEqual(before);
  });

  /** Columns that an INSERT may name. */
  async function ownColumns(table: string): Promise<string[]> {
    const { rows } = await client.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attnum > 0
         AND NOT attisdropped AND attidentity <> 'a' AND attgenerated = ''`,
    );
    return rows.map(({ name }) => name);
  }
});

describe('functions of the store', () => {
  const names = Object.keys(exported);

  test('are all tried here, or left out for a reason', () => {
    const tried = [...Object.keys(cases), ...Object.keys(exempt)];
    expect(names.filter((name) => !tried.includes(name))).toEqual([]);
    expect(tried.filter((name) => !names.includes(name))).toEqual([]);
    expect(Object.keys(cases).filter((name) => name in exempt)).toEqual([]);
  });

  test.each(Object.entries(cases))('%s finds and changes nothing of another tenant', async (_name, attempt) => {
    const before = await theirRows.dump();
    for (const tenantId of [mine.tenantId, theirs.tenantId]) {
      const { phantom, renamed } = phantomOf(theirs);
      const claimed = tenantId === theirs.tenantId ? phantom.tenantId : tenantId;
      const absent = await outcomeOf(attempt, { theirs: phantom, tenantId: claimed, keep: false });
      const found = await outcomeOf(attempt, { theirs, tenantId, keep: true });
      // Nothing, or what is answered of what there isn't at all.
      if (!empty.includes(found)) expect(renamed(found)).toBe(absent);
    }
    expect(await theirRows.dump()).toEqual(before);
  });
});

/** Outcomes that tell nothing. */
const empty = ['refused', 'nothing', 'null', '[]'];

class Undone extends Error {}

/** What a function came to in a transaction of mine. A refusal is one, whatever it says; a fault is none. */
async function outcomeOf(
  attempt: Case,
  { keep, ...given }: Pick<Try, 'theirs' | 'tenantId'> & { keep: boolean },
): Promise<string> {
  let outcome = 'refused';
  const work = async (tx: Tx) => {
    const { tenantId, keys } = mine;
    outcome = await textOf(attempt({ tx, store, mine: { tenantId, keys }, now, ...given }));
    if (!keep) throw new Undone();
  };
  await store.inTenant(mine.tenantId, work).catch((error: unknown) => {
    if (error instanceof Undone) return;
    if (!isRefusal(error)) throw error;
    outcome = 'refused';
  });
  return outcome;
}

/** Row-level security's no, and that of a reference to what isn't there. */
const refusingSqlStates = ['42501', '23503'];

function isRefusal(error: unknown): boolean {
  if (error instanceof KeyferryError || error instanceof Overtaken) return true;
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return refusingSqlStates.includes(code) || /^no result$|not there\.$/.test(error.message);
}
