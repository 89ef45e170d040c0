import { defaultSettings } from '@keyferry/testing/support/backend-settings.ts';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createBackend,
  createKeyring,
  defaultTenantId,
  getBackend,
  listBackends,
  loadMasterKey,
  openStore,
  type Store,
} from '../src/index.ts';

/** Invariant 10: tenants don't meet. */

let database: TestDatabase;
let store: Store;
const other = '11111111-1111-4111-8111-111111111111';
let backendId: string;

beforeAll(async () => {
  database = await createDatabase();
  store = openStore({ connectionString: database.url });
  const client = new pg.Client({ connectionString: database.ownerUrl });
  await client.connect();
  await client.query('INSERT INTO keyferry.tenants (id, name) VALUES ($1, $2)', [other, 'other']);
  await client.end();
  const keyring = createKeyring(store, await loadMasterKey(store, { text: Buffer.alloc(32, 1).toString('base64') }));
  const keys = await keyring.ofTenant(defaultTenantId);
  const settings = defaultSettings({ name: 'mine', kind: 'hashicorp', config: {}, auth: { token: 't' } });
  const created = await store.inTenant(defaultTenantId, (tx) =>
    createBackend(tx, { tenantId: defaultTenantId, settings, keys, now: new Date() }),
  );
  backendId = created.id;
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

test('the application role can’t bypass row-level security', async () => {
  const { rows } = await sql<{ name: string; unsafe: boolean }>`
    SELECT rolname AS name, rolsuper OR rolbypassrls AS unsafe FROM pg_roles WHERE rolname = current_user`.execute(
    store.global,
  );
  expect(rows).toEqual([{ name: 'keyferry_app', unsafe: false }]);
});

test('a query without a tenant set returns nothing, of whichever table that has tenants', async () => {
  const { rows: tables } = await sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
    WHERE c.relnamespace = 'keyferry'::regnamespace AND c.relkind = 'r' AND NOT a.attisdropped`.execute(store.global);
  expect(tables.length).toBeGreaterThan(25);
  for (const { name } of [...tables, { name: 'tenants' }]) {
    const { rows } = await sql`SELECT * FROM ${sql.table(name)}`.execute(store.global);
    expect([name, rows]).toEqual([name, []]);
  }
});

test('a tenant sees and locks its own row alone, and changes nothing of it', async () => {
  await store.inTenant(other, async (tx) => {
    const rows = await tx.selectFrom('tenants').select('id').forNoKeyUpdate().execute();
    expect(rows).toEqual([{ id: other }]);
  });
  const change = (id: string) =>
    store.inTenant(other, (tx) =>
      tx.updateTable('tenants').set({ max_keys: null }).where('id', '=', id).executeTakeFirst(),
    );
  await expect(change(other)).rejects.toThrow(/row-level security/);
  expect(Number((await change(defaultTenantId)).numUpdatedRows)).toBe(0);
});

test('an operator sees tenants and nothing that is theirs', async () => {
  await store.asOperator(async (tx) => {
    expect((await tx.selectFrom('tenants').select('name').execute()).map(({ name }) => name).sort()).toEqual([
      'default',
      'other',
    ]);
    expect(await listBackends(tx)).toEqual([]);
    expect(await tx.selectFrom('encryption_keys').selectAll().execute()).toEqual([]);
  });
});

test('every table but the two without a tenant has forced row-level security', async () => {
  const { rows } = await sql<{ name: string }>`
    SELECT relname AS name FROM pg_class WHERE relnamespace = 'keyferry'::regnamespace AND relkind = 'r'
      AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY relname`.execute(store.global);
  expect(rows.map((row) => row.name)).toEqual(['master_keys', 'migrations', 'migrations_lock']);
});

test('a write without a tenant set is refused', async () => {
  const insert = sql`INSERT INTO audit_log (tenant_id, batch, place, at, actor, action, target, outcome)
    VALUES (${defaultTenantId}, 1, 1, now(), 'x', 'x', 'x', 'done')`;
  await expect(insert.execute(store.global)).rejects.toThrow(/row-level security/);
});

test('another tenant finds nothing by id, by name or in a list, and can’t write into this one', async () => {
  await store.inTenant(other, async (tx) => {
    expect(await listBackends(tx)).toEqual([]);
    await expect(getBackend(tx, backendId)).rejects.toMatchObject({ code: 'backend_not_found' });
    const changed = await tx
      .updateTable('backends')
      .set({ name: 'stolen' })
      .where('id', '=', backendId)
      .executeTakeFirst();
    expect(Number(changed.numUpdatedRows)).toBe(0);
  });
  const row = {
    batch: 1,
    place: 1,
    at: new Date(),
    actor: 'x',
    action: 'x',
    target: 'x',
    outcome: 'done' as const,
    details: '{}',
  };
  const foreign = store.inTenant(other, (tx) =>
    tx
      .insertInto('audit_log')
      .values({ ...row, tenant_id: defaultTenantId })
      .execute(),
  );
  await expect(foreign).rejects.toThrow(/row-level security/);
});

test('a tenant is set for its transaction alone', async () => {
  await store.inTenant(defaultTenantId, (tx) => listBackends(tx));
  for (let index = 0; index < 20; index++) {
    const { rows } = await sql`SELECT id FROM backends`.execute(store.global);
    expect(rows).toEqual([]);
  }
});

test('functions across tenants return ids, and revisions, which tell nothing', async () => {
  const { rows } = await sql<{ name: string; result: string }>`
    SELECT proname AS name, pg_get_function_result(oid) AS result FROM pg_proc
    WHERE pronamespace = 'keyferry'::regnamespace AND prosecdef ORDER BY proname`.execute(store.global);
  expect(rows).toEqual([
    { name: 'access_revisions_of', result: 'TABLE(tenant_id uuid, revision bigint)' },
    { name: 'all_tenants', result: 'SETOF uuid' },
    { name: 'backends_with_undelivered_events', result: 'TABLE(tenant_id uuid, backend_id uuid)' },
    { name: 'issuers_named', result: 'TABLE(tenant_id uuid, issuer_id uuid)' },
    { name: 'master_key_uses', result: 'TABLE(master_key_id text, data_keys bigint)' },
    // Of one tenant, and only what its rule lets go.
    { name: 'prune_audit', result: 'TABLE(batches bigint, rows bigint, number bigint, hash bytea)' },
    { name: 'tenants_deleted', result: 'SETOF uuid' },
    { name: 'tenants_due', result: 'SETOF uuid' },
    { name: 'tenants_kept', result: 'SETOF uuid' },
    { name: 'tenants_to_purge', result: 'SETOF uuid' },
    { name: 'tenants_to_rewrap', result: 'SETOF uuid' },
    { name: 'tenants_with_audit_to_anchor', result: 'SETOF uuid' },
    { name: 'tenants_with_audit_to_prune', result: 'SETOF uuid' },
    { name: 'tenants_with_due_notices', result: 'SETOF uuid' },
    { name: 'tenants_with_notices_to_collect', result: 'SETOF uuid' },
    { name: 'tenants_with_open_cycles', result: 'SETOF uuid' },
    { name: 'tenants_with_unsealed_audit', result: 'SETOF uuid' },
    { name: 'token_owner', result: 'TABLE(tenant_id uuid, token_id uuid)' },
  ]);
});

test('the application can’t act as the dispatcher, nor change the audit log', async () => {
  await expect(sql`SET ROLE keyferry_dispatcher`.execute(store.global)).rejects.toThrow(/permission denied/);
  await expect(store.inTenant(defaultTenantId, (tx) => tx.deleteFrom('audit_log').execute())).rejects.toThrow(
    /permission denied/,
  );
});
