import { defaultSettings } from '@keyferry/testing/support/backend-settings.ts';
import { createDatabase } from '@keyferry/testing/support/database.ts';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  createBackend,
  createKeyring,
  defaultTenantId,
  loadKeys,
  loadMasterKey,
  openStore,
  ownersOf,
  type Tx,
  writeKeys,
} from '../src/index.ts';

const settings = defaultSettings({ name: 'many', kind: 'hashicorp', config: {}, auth: { token: 't' } });

/** Rows of keys that the transaction has read so far, found or not. */
async function rowsRead(tx: Tx): Promise<number> {
  const { rows } = await sql<{ read: number }>`
    SELECT pg_stat_get_xact_tuples_returned('keys'::regclass) + pg_stat_get_xact_tuples_fetched('keys'::regclass)
      AS read`.execute(tx);
  return Number(rows[0]?.read);
}

test('a shard’s keys are looked up one by one, before Postgres has counted how many there are', async () => {
  const database = await createDatabase();
  const store = openStore({ connectionString: database.url });
  const keyring = createKeyring(store, await loadMasterKey(store, { text: Buffer.alloc(32, 1).toString('base64') }));
  const keys = await keyring.ofTenant(defaultTenantId);
  const now = new Date();
  const paths = Array.from({ length: 3_000 }, (_, index) => `p/${index}`);
  const wanted = [...paths.slice(0, 500), 'p/none'];

  const read = await store.inTenant(defaultTenantId, async (tx) => {
    const backend = await createBackend(tx, { tenantId: defaultTenantId, settings, keys, now });
    const context = {
      tenantId: defaultTenantId,
      backendId: backend.id,
      cycleId: crypto.randomUUID(),
      digestKeyId: keys.digestKeyId,
      encryptionKeyId: keys.encryptionKeyId,
      maxVersions: 10,
      now,
    };
    const digest = Buffer.alloc(32);
    const write = (path: string) => ({
      id: crypto.randomUUID(),
      rowVersion: null,
      version: 1,
      remotePath: path,
      localPath: path,
      type: 'api_key' as const,
      state: 'active' as const,
      contentType: 'text/plain',
      metadata: {},
      remoteVersion: '1',
      remoteRevision: '1',
      remoteCreatedAt: null,
      baseDigest: digest,
      localDigest: digest,
      remoteDigest: digest,
      expiresAt: null,
      purgeAt: null,
      expiryReminderAt: null,
      rotationDueAt: null,
      rolledBack: false,
      tombstone: false,
      owned: false,
      ownedFor: null,
      describesValue: true,
      readableUntil: null,
      ciphertext: Buffer.from('sealed'),
      earlier: [],
    });
    await writeKeys(tx, context, paths.map(write));
    const before = await rowsRead(tx);
    expect((await loadKeys(tx, backend.id, wanted)).size).toBe(500);
    expect((await ownersOf(tx, wanted)).size).toBe(500);
    return (await rowsRead(tx)) - before;
  });
  // Twice 500, and as many entries of an index.
  expect(read).toBeLessThanOrEqual(2_000);
  await store.close();
  await database.drop();
});
