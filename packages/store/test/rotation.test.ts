import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sealedColumns } from '../src/encryption/sealed-columns.ts';
import {
  dataKeyStatuses,
  destroyDataKeys,
  type KeyManager,
  openChannelSecret,
  openSettings,
  rotateDataKey,
  type TenantKeys,
  valueBinding,
} from '../src/index.ts';
import { SealedStore, tenantId } from './support/sealed-store.ts';

let sealed: SealedStore;
let main: KeyManager;
let ids: { backendId: string; channelId: string };

const lockWaits = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

const paths = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `p/${from + index}`);

beforeEach(async () => {
  sealed = await SealedStore.open();
  main = await sealed.process();
  ids = await sealed.addSettings(await main.ofTenant(tenantId));
});
afterEach(() => sealed.close());

const rotate = (announceMs = 0) =>
  rotateDataKey(sealed.store, main.masterKeys, tenantId, { actor: 'test', now: new Date(), announceMs });

/** Waits until a process seals with this data key. */
const sealsWith = (process: KeyManager, id: string) =>
  vi.waitFor(async () => expect((await process.ofTenant(tenantId)).encryptionKeyId).toBe(id), { timeout: 10_000 });

test('every column with a foreign key to the data keys is one that a rewrap seals anew, but for digests’', async () => {
  const { rows } = await sql<{ name: string }>`
    SELECT format('%s.%s', c.conrelid::regclass, a.attname) AS name FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND a.attname <> 'tenant_id'
    WHERE c.confrelid = 'keyferry.encryption_keys'::regclass ORDER BY 1`.execute(sealed.store.global);
  const known = sealedColumns.map(({ table, keyId }) => `${table}.${keyId}`);
  expect(rows.map(({ name }) => name)).toEqual([...known, 'keys.digest_key_id'].sort());
});

test('a new data key seals, the one before opens what it has sealed, and other processes follow within seconds', async () => {
  const other = await sealed.process();
  const before = await other.ofTenant(tenantId);
  await sealed.put(before, paths(2));
  const { id, retired } = await rotate();
  expect(retired).toBe(before.encryptionKeyId);
  await Promise.all([sealsWith(main, id), sealsWith(other, id)]);
  await sealed.put(await main.ofTenant(tenantId), paths(2, 2));
  for (const path of paths(4)) expect(await sealed.read(other, path)).toBe(`value of ${path}`);
  expect((await main.ofTenant(tenantId)).digest(Buffer.from('x'))).toEqual(before.digest(Buffer.from('x')));
});

test('a process that meets a ciphertext of a data key that it doesn’t know looks for the key, once for all', async () => {
  const late = await (await sealed.process()).ofTenant(tenantId);
  const { id } = await rotate();
  const fresh = await (await sealed.process()).ofTenant(tenantId);
  expect(fresh.encryptionKeyId).toBe(id);
  const one = fresh.seal(Buffer.from('new'), 'b');
  const reads = vi.spyOn(sealed.store, 'inTenant');
  const opened = await Promise.all(Array.from({ length: 50 }, () => late.unseal(one, 'b')));
  expect(new Set(opened.map(String))).toEqual(new Set(['new']));
  expect(reads).toHaveBeenCalledTimes(1);
  reads.mockRestore();
});

test('nobody seals with a new data key before it was announced for a while, and a second rotation meanwhile is the first', async () => {
  const first = await main.ofTenant(tenantId);
  const { id } = await rotate(3_600_000);
  const late = await sealed.process();
  expect((await late.ofTenant(tenantId)).encryptionKeyId).toBe(first.encryptionKeyId);
  expect(await rotate()).toMatchObject({ id, retired: null });
  const states = await dataKeyStatuses(sealed.store, tenantId);
  expect(states.map(({ state }) => state).sort()).toEqual(['announced', 'current', 'current']);
});

test('a rewrap seals values, backups, credentials and channels anew, and destroys the data key that nothing names', async () => {
  const keys = await main.ofTenant(tenantId);
  await sealed.put(keys, paths(1_200));
  await sealed.store.inTenant(tenantId, (tx) =>
    sql`INSERT INTO backups (tenant_id, backend_id, key_id, version, local_path, remote_path, type, ciphertext,
        encryption_key_id, content_type, metadata, reason, created_at)
      SELECT v.tenant_id, k.backend_id, k.id, v.version, k.local_path, k.remote_path, k.type, v.ciphertext,
        v.encryption_key_id, v.content_type, v.metadata, 'test', now()
      FROM key_versions v JOIN keys k ON k.id = v.key_id WHERE k.local_path = 'p/7'`.execute(tx),
  );
  const { id, retired } = await rotate();
  const { lines, summary } = await sealed.rewrapTold(main);
  expect(summary).toEqual({ tenants: 1, wrapped: 0, resealed: 1_203, failed: 0, destroyed: 1, retired: 0 });
  expect(lines.at(-1)).toMatchObject({ tenant_id: tenantId, resealed: 1_203, left: 0 });
  expect(await sealed.sealedBy()).toEqual({ [id]: 1_203 });
  const fresh = await sealed.process();
  for (const path of ['p/0', 'p/7', 'p/1199']) expect(await sealed.read(fresh, path)).toBe(`value of ${path}`);
  const open = await fresh.ofTenant(tenantId);
  await sealed.store.inTenant(tenantId, async (tx) => {
    expect(await openSettings(tx, ids.backendId, open)).toMatchObject({ auth: { token: 'canary-token' } });
    expect(await openChannelSecret(tx, ids.channelId, open)).toEqual({ url: 'https://hooks.example/canary' });
    const backup = await tx.selectFrom('backups').selectAll().executeTakeFirstOrThrow();
    const binding = valueBinding(tenantId, backup.key_id, backup.version);
    const value = { ciphertext: backup.ciphertext, encryptionKeyId: backup.encryption_key_id };
    expect((await open.unseal(value, binding)).toString()).toBe('value of p/7');
  });
  const states = await dataKeyStatuses(sealed.store, tenantId);
  expect(states.map((key) => key.id)).not.toContain(retired);
  // What had been read before is still opened where it was.
  const old = keys.seal(Buffer.from('read before'), 'b');
  expect((await keys.unseal(old, 'b')).toString()).toBe('read before');
});

test('a rewrap that is ended is gone on with by the next one', async () => {
  await sealed.put(await main.ofTenant(tenantId), paths(2_500));
  await rotate();
  const run = sealed.rewrapping(main);
  const told = vi.spyOn(performance, 'now');
  // Each batch is told of.
  let time = 1e9;
  told.mockImplementation(() => {
    time += 1_000;
    return time;
  });
  const first = await run.next();
  await run.return({ tenants: 0, wrapped: 0, resealed: 0, failed: 0, destroyed: 0, retired: 0 });
  told.mockRestore();
  expect(first.value).toMatchObject({ left: expect.any(Number) });
  const done = 2_502 - Math.max(...Object.values(await sealed.sealedBy()).filter((count) => count > 1_250));
  expect(done).toBeGreaterThan(0);
  const summary = await sealed.rewrap(await sealed.process());
  expect(summary.resealed).toBeLessThan(2_502);
  expect(summary.destroyed).toBe(1);
  expect(Object.values(await sealed.sealedBy())).toEqual([2_502]);
});

test('two rewraps at once share the work, and do none of it twice', async () => {
  await sealed.put(await main.ofTenant(tenantId), paths(6_000));
  await rotate();
  const others = await Promise.all([sealed.process(), sealed.process()]);
  const summaries = await Promise.all(others.map((process) => sealed.rewrap(process)));
  expect(summaries.reduce((sum, { resealed }) => sum + resealed, 0)).toBe(6_002);
  expect(summaries.reduce((sum, { destroyed }) => sum + destroyed, 0)).toBe(1);
  expect(Object.values(await sealed.sealedBy())).toEqual([6_002]);
});

test('no read fails, and no write is lost, while data keys are rotated and rewrapped again and again', async () => {
  await sealed.put(await main.ofTenant(tenantId), paths(1_500));
  const reader = await sealed.process();
  const writer = await sealed.process();
  let running = true;
  const failures: unknown[] = [];
  let reads = 0;
  const reading = async () => {
    while (running) {
      const path = `p/${Math.floor(Math.random() * 1_500)}`;
      await sealed.read(reader, path).catch((error) => failures.push(error));
      reads++;
    }
  };
  let written = 1_500;
  const writing = async () => {
    while (running) {
      const keys = await writer.ofTenant(tenantId);
      await sealed.put(keys, paths(5, written)).then(
        () => {
          written += 5;
        },
        // The data key was destroyed in between: the whole write is done again, as a job is.
        (error) => expect(error).toMatchObject({ code: '23503' }),
      );
    }
  };
  const busy = [reading(), reading(), reading(), writing()];
  for (let round = 0; round < 3; round++) {
    await rotate();
    await sealed.rewrap(main);
  }
  running = false;
  await Promise.all(busy);
  expect(failures).toEqual([]);
  expect(reads).toBeGreaterThan(100);
  await sealed.rewrap(main);
  const fresh = await sealed.process();
  for (const path of paths(written).filter((_, index) => index % 50 === 0))
    expect(await sealed.read(fresh, path)).toBe(`value of ${path}`);
});

test('a data key is not destroyed while somebody is about to store what it has sealed, and nobody can store that later', async () => {
  const keys = await main.ofTenant(tenantId);
  const stale: TenantKeys = keys;
  const { retired } = await rotate();
  const stored = Promise.withResolvers<void>();
  const mayCommit = Promise.withResolvers<void>();
  const writing = sealed.store.inTenant(tenantId, async (tx) => {
    const backup = { tenant_id: tenantId, backend_id: ids.backendId, key_id: crypto.randomUUID(), version: 1 };
    const described = { local_path: 'x', remote_path: 'x', type: 'opaque' as const, content_type: 'text/plain' };
    const { ciphertext, encryptionKeyId } = stale.seal(
      Buffer.from('late'),
      valueBinding(tenantId, backup.key_id, backup.version),
    );
    await tx
      .insertInto('backups')
      .values({
        ...backup,
        ...described,
        ciphertext,
        encryption_key_id: encryptionKeyId,
        metadata: '{}',
        reason: 'test',
        created_at: new Date(),
      })
      .execute();
    stored.resolve();
    await mayCommit.promise;
  });
  await stored.promise;
  const rewrapping = sealed.rewrap(main);
  await vi.waitFor(async () => {
    const { rows } = await asAdmin(sealed.database.ownerUrl, (client) => client.query(lockWaits));
    expect(rows).not.toEqual([]);
  });
  mayCommit.resolve();
  await writing;
  expect(await rewrapping).toMatchObject({ destroyed: 0, retired: 1 });
  expect(await sealed.rewrap(main)).toMatchObject({ resealed: 1, destroyed: 1 });
  await expect(sealed.put(stale, ['p/late'])).rejects.toMatchObject({ code: '23503' });
  expect(await sealed.sealedBy()).not.toHaveProperty(retired ?? '');
});

test('a retired data key is kept for as long as somebody may still store what it has sealed', async () => {
  await sealed.put(await main.ofTenant(tenantId), paths(3));
  await rotate();
  expect(await sealed.rewrap(main, { graceMs: 60_000 })).toMatchObject({ resealed: 5, destroyed: 0, retired: 1 });
  expect(await sealed.rewrap(main)).toMatchObject({ resealed: 0, destroyed: 1, retired: 0 });
});

test('a ciphertext that doesn’t open is left as it is, keeps its data key, and keeps no other from being sealed anew', async () => {
  await sealed.put(await main.ofTenant(tenantId), paths(20));
  await sealed.store.inTenant(tenantId, (tx) =>
    sql`UPDATE key_versions SET ciphertext = set_byte(ciphertext, 40, (get_byte(ciphertext, 40) + 1) % 256)
      WHERE key_id = (SELECT id FROM keys WHERE local_path = 'p/3')`.execute(tx),
  );
  const { id, retired } = await rotate();
  expect(await sealed.rewrap(main)).toMatchObject({ resealed: 21, failed: 1, destroyed: 0, retired: 1 });
  expect(await sealed.sealedBy()).toEqual({ [id]: 21, [retired ?? '']: 1 });
});

test('what a wrapped data key is for can’t be changed: moved or altered it opens nothing', async () => {
  const other = crypto.randomUUID();
  await sealed.store.asOperator((tx) => tx.insertInto('tenants').values({ id: other, name: 'other' }).execute());
  await (await sealed.process()).ofTenant(other);
  const rows = await sealed.store.inTenant(tenantId, (tx) => tx.selectFrom('encryption_keys').selectAll().execute());
  for (const { purpose, wrapped } of rows) {
    await sealed.store.inTenant(other, (tx) =>
      tx.updateTable('encryption_keys').set({ wrapped }).where('purpose', '=', purpose).execute(),
    );
  }
  const open = async () => {
    const keys = await (await sealed.process()).ofTenant(other);
    keys.seal(Buffer.from('x'), 'b');
  };
  await expect(open()).rejects.toMatchObject({ code: 'decryption_failed' });
  await sealed.store.inTenant(other, (tx) =>
    sql`UPDATE encryption_keys SET wrapped = set_byte(wrapped, 20, (get_byte(wrapped, 20) + 1) % 256)`.execute(tx),
  );
  await expect(open()).rejects.toMatchObject({ code: 'decryption_failed' });
});

test('a deleted tenant’s keys open nothing, in no process, and are not made anew', async () => {
  const keys = await main.ofTenant(tenantId);
  const other = await sealed.process();
  const elsewhere = await other.ofTenant(tenantId);
  await sealed.put(keys, paths(2));
  const one = keys.seal(Buffer.from('value'), 'b');
  expect(await sealed.store.inTenant(tenantId, (tx) => destroyDataKeys(tx, tenantId))).toBe(2);
  main.forget(tenantId);
  const gone = { code: 'data_keys_destroyed' };
  await expect(main.ofTenant(tenantId)).rejects.toMatchObject(gone);
  await expect((await sealed.process()).ofTenant(tenantId)).rejects.toMatchObject(gone);
  await vi.waitFor(() => expect(other.ofTenant(tenantId)).rejects.toMatchObject(gone), { timeout: 10_000 });
  await expect(elsewhere.unseal(one, 'b')).rejects.toMatchObject(gone);
  await expect(rotate()).rejects.toMatchObject(gone);
  expect(await sealed.rewrap(await sealed.process())).toMatchObject({ tenants: 0 });
  const rows = await sealed.store.inTenant(tenantId, (tx) => tx.selectFrom('encryption_keys').selectAll().execute());
  expect(rows.map(({ wrapped }) => wrapped.length)).toEqual([0, 0]);
});

test('what a rewrap does to a tenant’s keys is in its audit log, and a rewrap that does nothing is not', async () => {
  const told = async () => {
    const query = `SELECT actor, action, details FROM keyferry.audit_log WHERE action LIKE 'encryption.re%' ORDER BY batch`;
    return await asAdmin(sealed.database.ownerUrl, async (client) => (await client.query(query)).rows);
  };
  const keys = await main.ofTenant(tenantId);
  await sealed.put(keys, paths(2));
  await sealed.rewrap(main, { tenantId });
  expect(await told()).toEqual([]);
  const { retired } = await rotate();
  const both = await sealed.process(2, 1);
  await sealed.rewrap(both);
  expect(await told()).toMatchObject([
    {
      actor: 'test',
      action: 'encryption.rewrapped',
      details: { data_keys: 3, master_key: both.masterKeys.current.id },
    },
    { actor: 'test', action: 'encryption.resealed', details: { data_keys: [retired], ciphertexts: 4 } },
  ]);
});
