import { randomBytes, randomUUID } from 'node:crypto';
import { defaultSettings } from '@keyferry/testing/support/backend-settings.ts';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { credentialsBinding } from '../src/encryption/bindings.ts';
import { unseal } from '../src/encryption/cipher.ts';
import {
  approveTenantDeletion,
  createBackend,
  createKeyring,
  createTenant,
  defaultTenantId,
  keysOfTenant,
  loadMasterKey,
  type MasterKeys,
  notePurged,
  openStore,
  purgeTenantRows,
  requestTenantDeletion,
  type Store,
  sumKeyCounts,
  tenantsToPurge,
  valueBinding,
} from '../src/index.ts';
import { purgedTables } from '../src/purge-tenant.ts';

/** What is left of a deleted tenant, for whoever has the whole database and the master key. */

let database: TestDatabase;
let store: Store;
const masterKeyBytes = randomBytes(32);
let masterKeys: MasterKeys;
const now = new Date();
const by = { by: 'an-operator', now };
const noLimits = { max_backends: null, max_keys: null, max_open_cycles: null };

beforeAll(async () => {
  database = await createDatabase();
  store = openStore({ connectionString: database.url });
  masterKeys = await loadMasterKey(store, { text: masterKeyBytes.toString('base64') });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const query = (text: string, parameters: unknown[] = []) =>
  asAdmin(database.ownerUrl, async (client) => (await client.query(text, parameters)).rows);

/** A tenant with a backend and keys, each with a value that its data key encrypts. */
async function filled(name: string, keyCount: number): Promise<{ id: string; backendId: string }> {
  const { id } = await store.asOperator((tx) => createTenant(tx, { name, limits: noLimits, ...by }));
  const keys = await createKeyring(store, masterKeys).ofTenant(id);
  const settings = defaultSettings({ name: 'main', kind: 'hashicorp', config: {}, auth: { token: 't' } });
  const backend = await store.inTenant(id, (tx) => createBackend(tx, { tenantId: id, settings, keys, now }));
  const ids = Array.from({ length: keyCount }, () => randomUUID());
  const sealed = ids.map((keyId) => keys.seal(Buffer.from('a value'), valueBinding(id, keyId, 1)).ciphertext);
  await query(
    `INSERT INTO keyferry.keys (id, tenant_id, backend_id, remote_path, remote_hash, local_path, type, state, version,
       content_type, metadata, base_digest, local_digest, remote_digest, digest_key_id, state_changed_at, last_seen_at,
       created_at, updated_at)
     SELECT k, $2, $3, k, substr(sha256(k::text::bytea), 1, 16), k, 'opaque', 'active', 1, 'text/plain', '{}', '', '', '', $4,
       now(), now(), now(), now() FROM unnest($1::uuid[]) k`,
    [ids, id, backend.id, keys.digestKeyId],
  );
  await query(
    `INSERT INTO keyferry.key_versions (key_id, version, tenant_id, ciphertext, encryption_key_id, content_type, metadata,
       source, created_at) SELECT k, 1, $3, c, $4, 'text/plain', '{}', 'vault', now()
     FROM unnest($1::uuid[], $2::bytea[]) AS v (k, c)`,
    [ids, sealed, id, keys.encryptionKeyId],
  );
  return { id, backendId: backend.id };
}

/** What whoever has a dump and the master key can open of a tenant, with any data key that there is. */
async function opened(tenantId: string): Promise<number> {
  const wrapped = await query('SELECT * FROM keyferry.encryption_keys');
  const dataKeys = wrapped.flatMap((row) => {
    try {
      return [unseal(masterKeyBytes, row.wrapped, `wrap:${row.tenant_id}:${row.id}:${row.purpose}`)];
    } catch {
      return [];
    }
  });
  const sealed = [
    ...(await query('SELECT * FROM keyferry.key_versions WHERE tenant_id = $1', [tenantId])).map((row) => ({
      bytes: row.ciphertext,
      binding: valueBinding(tenantId, row.key_id, row.version),
    })),
    ...(await query('SELECT * FROM keyferry.backends WHERE tenant_id = $1', [tenantId])).map((row) => ({
      bytes: row.credentials,
      binding: credentialsBinding(tenantId, row.id),
    })),
  ];
  expect(sealed.length).toBeGreaterThan(0);
  const opens = (key: Buffer, { bytes, binding }: (typeof sealed)[number]) => {
    try {
      return unseal(key, bytes, binding).length > 0;
    } catch {
      return false;
    }
  };
  return sealed.filter((one) => [masterKeyBytes, ...dataKeys].some((key) => opens(key, one))).length;
}

test('no ciphertext of a deleted tenant is opened by the master key, nor those of others hurt', async () => {
  const gone = await filled('gone', 20);
  const staying = await filled('staying', 5);
  expect([await opened(gone.id), await opened(staying.id)]).toEqual([21, 6]);
  await store.asOperator((tx) => requestTenantDeletion(tx, 'gone', by));
  expect(await opened(gone.id)).toBe(21);
  await store.asOperator((tx) => approveTenantDeletion(tx, 'gone', by));
  expect([await opened(gone.id), await opened(staying.id)]).toEqual([0, 6]);
});

test('the rows of a deleted tenant go in batches, from wherever that was left, and no others', async () => {
  const { id } = await filled('in-batches', 25);
  const { id: beside } = await filled('beside', 5);
  await store.asOperator((tx) => requestTenantDeletion(tx, 'in-batches', by));
  await store.asOperator((tx) => approveTenantDeletion(tx, 'in-batches', by));
  expect(await tenantsToPurge(store, now)).not.toContain(id);
  expect(await tenantsToPurge(store, new Date(now.getTime() + 1))).toContain(id);
  const left = async () => (await query('SELECT FROM keyferry.keys WHERE tenant_id = $1', [id])).length;
  expect(await store.inTenant(id, (tx) => purgeTenantRows(tx, 10))).toBe(10);
  expect(await left()).toBe(15);
  // Two at a time, and one that is interrupted.
  await Promise.all([1, 2].map(() => store.inTenant(id, (tx) => purgeTenantRows(tx, 5))));
  const interrupted = store.inTenant(id, async (tx) => {
    await purgeTenantRows(tx, 5);
    throw new Error('interrupted');
  });
  await expect(interrupted).rejects.toThrow('interrupted');
  expect(await left()).toBe(5);
  while ((await store.inTenant(id, (tx) => purgeTenantRows(tx, 10))) > 0);
  await store.asOperator((tx) => notePurged(tx, id, now));
  await store.asOperator((tx) => notePurged(tx, id, now));
  expect(await query('SELECT FROM keyferry.encryption_keys WHERE tenant_id = $1', [id])).toEqual([]);
  expect(
    await query(`SELECT FROM keyferry.audit_log WHERE tenant_id = $1 AND action = 'tenant.purged'`, [id]),
  ).toHaveLength(1);
  expect(await tenantsToPurge(store, new Date(now.getTime() + 1))).not.toContain(id);
  expect(await opened(beside)).toBe(6);
});

test('keys are counted as they come and go, whatever is summed up meanwhile', async () => {
  const { id } = await filled('counted', 7);
  const counted = () => store.inTenant(id, keysOfTenant);
  expect(await counted()).toBe(7);
  await Promise.all([1, 2, 3].map(() => store.inTenant(id, sumKeyCounts)));
  await query('DELETE FROM keyferry.keys WHERE id IN (SELECT id FROM keyferry.keys WHERE tenant_id = $1 LIMIT 3)', [
    id,
  ]);
  expect(await counted()).toBe(4);
  await store.inTenant(id, sumKeyCounts);
  expect(await query('SELECT keys::integer FROM keyferry.key_counts WHERE tenant_id = $1', [id])).toEqual([
    { keys: 4 },
  ]);
  expect(await store.inTenant(defaultTenantId, keysOfTenant)).toBe(0);
});

test('every table that has tenants is emptied at a tenant’s end, or is kept on purpose', async () => {
  const kept = [
    'access_revisions',
    'audit_batches',
    'audit_chains',
    'audit_log',
    'identities',
    'key_changes',
    'tokens',
  ];
  const deleted = await query(
    `SELECT conrelid::regclass::text AS name FROM pg_constraint WHERE contype = 'f' AND confdeltype = 'c'
       AND connamespace = 'keyferry'::regnamespace`,
  );
  const tables = await query(
    `SELECT table_name AS name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE table_schema = 'keyferry' AND column_name = 'tenant_id' AND table_type = 'BASE TABLE' ORDER BY table_name`,
  );
  const named = new Set([...purgedTables, ...deleted.map(({ name }) => name.replace('keyferry.', '')), ...kept]);
  expect(tables.map(({ name }) => name).filter((name) => !named.has(name))).toEqual([]);
});

test('a process that has a tenant’s keys open lets go of them by itself within seconds of its deletion', async () => {
  const { id } = await store.asOperator((tx) => createTenant(tx, { name: 'held', limits: noLimits, ...by }));
  const keyring = createKeyring(store, masterKeys);
  const keys = await keyring.ofTenant(id);
  const sealed = keys.seal(Buffer.from('a value'), 'x');
  await store.asOperator((tx) => requestTenantDeletion(tx, id, by));
  await vi.waitFor(() => expect(keyring.ofTenant(id)).rejects.toMatchObject({ code: 'tenant_not_found' }), 10_000);
  expect(keyring.held()).toEqual([]);
  await expect(keys.unseal(sealed, 'x')).rejects.toMatchObject({ code: 'data_keys_destroyed' });
});
