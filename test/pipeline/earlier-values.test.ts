import { restoreBackup, revokeKeys, rollBackKey } from '@keyferry/pipeline';
import { getKey, listBackups, listKeyChanges, listVersions, openValue } from '@keyferry/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { choosing, may } from '../support/all-paths.ts';
import { type House, openHouse } from '../support/house.ts';

/** Values from before that a person wants served again: rolled back to, or restored from a backup. */

const hour = 3600;
const day = 24 * hour;
const path = 'bifrost/a';
const canary = 'canary-81f7-earlier-value';

let house: House;
beforeEach(async () => {
  house = await openHouse();
  house.vault.kv('secret').put(path, { value: `${canary}-1` });
  house.vault.kv('secret').put('bifrost/b', { value: 'b' });
});
afterEach(() => house.close());

const put = (value: string) => house.vault.kv('secret').put(path, { value: `${canary}-${value}` });
const servedValue = async () => (await house.value(path)).match(/-([^-]+)"\}$/)?.[1];
const key = () => house.read((tx) => getKey(tx, path));
const versions = async () => {
  const { id } = await key();
  return await house.read((tx) => listVersions(tx, id));
};
const story = async () => {
  const { id } = await key();
  return await house.read((tx) => listKeyChanges(tx, id, 20));
};
const audited = (action: string) =>
  house.read((tx) => tx.selectFrom('audit_log').selectAll().where('action', '=', action).execute());

const revoke = () => {
  const common = { tenantId: house.tenantId, reason: 'leaked', by: 'ann' };
  const request = { ...common, paths: [path], choosing, all: false, dryRun: false };
  return revokeKeys(house.services, request);
};

/** A backend whose key has had the values 1 and 2. */
async function rotated(settings: Parameters<House['addBackend']>[0] = {}) {
  const backend = await house.addBackend(settings);
  await house.cycle(backend);
  put('2');
  await house.cycle(backend);
  expect(await servedValue()).toBe('2');
  return backend;
}

describe('a rollback', () => {
  const rollBack = (toVersion: number, by = 'ann') =>
    rollBackKey(house.services, { tenantId: house.tenantId, path, may, toVersion, reason: 'the new one fails', by });

  test('serves an earlier value as a new version, at once, and is told of and audited without the value', async () => {
    await rotated();
    house.clock.advance(60);
    expect(await rollBack(1)).toEqual({ path, fromVersion: 2, toVersion: 1, version: 3 });
    expect(await servedValue()).toBe('1');
    expect(await key()).toMatchObject({ state: 'active', version: 3, rolled_back: true });
    expect(await versions()).toMatchObject([
      { version: 3, source: 'rollback', created_at: house.clock.now() },
      { version: 2, source: 'vault' },
      { version: 1, source: 'vault' },
    ]);
    expect((await house.events('keys.rolled_back'))[0]?.data).toMatchObject({
      paths: [path],
      keys: [{ path, from_version: 2, to_version: 3 }],
      actor: 'ann',
      reason: 'the new one fails',
    });
    expect((await story())[0]).toMatchObject({ change: 'rolled_back', version: 3, actor: 'ann' });
    const entries = await audited('key.rolled_back');
    expect(entries).toMatchObject([{ actor: 'ann', target: path, details: { value_of_version: 1, version: 3 } }]);
    expect(JSON.stringify([entries, await house.events(), await story()])).not.toContain(canary);
  });

  test('lasts while the vault stays as it is, and ends at its next change, whatever the conflict policy', async () => {
    const backend = await rotated({ conflict_policy: 'manual' });
    await rollBack(1);
    expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 2, updated: 0, conflicting: 0 });
    expect(await servedValue()).toBe('1');
    put('3');
    expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1, unchanged: 1 });
    expect(await servedValue()).toBe('3');
    expect(await key()).toMatchObject({ version: 4, rolled_back: false });
  });

  test('lasts where the vault tells no versions, so that each cycle reads the value', async () => {
    house.vault.mounts.enable('old', { type: 'kv', version: 1 });
    const old = house.vault.kv('old');
    old.put('team/x', { value: 'one' });
    const config = { address: house.vault.url, mount: 'old' };
    const backend = await house.addBackend({ config, sync_paths: ['team/*'] });
    await house.cycle(backend);
    old.put('team/x', { value: 'two' });
    await house.cycle(backend);
    const request = { tenantId: house.tenantId, path: 'team/x', may, toVersion: 1, reason: null, by: 'ann' };
    await rollBackKey(house.services, request);
    for (let again = 0; again < 2; again++) {
      expect((await house.cycle(backend)).counts).toMatchObject({ ahead: 1, updated: 0 });
      expect(await house.value('team/x')).toContain('one');
    }
    old.put('team/x', { value: 'three' });
    expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1 });
    expect(await house.value('team/x')).toContain('three');
  });

  test('is over once the vault has the same value, or it is rolled back to what the vault has', async () => {
    const backend = await rotated();
    await rollBack(1);
    put('1');
    expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 2, updated: 0 });
    expect(await key()).toMatchObject({ version: 3, rolled_back: false });

    await rollBack(2);
    expect(await key()).toMatchObject({ version: 4, rolled_back: true });
    await rollBack(1);
    expect(await key()).toMatchObject({ version: 5, rolled_back: false });
  });

  test('lets the version it replaces be read for as long as the overlap, and keeps no more versions than are kept', async () => {
    const backend = await rotated({ rotation_overlap_seconds: hour, max_versions: 2 });
    await rollBack(1);
    const { id } = await key();
    const keys = await house.services.keyring.ofTenant(house.tenantId);
    const read = (version: number) =>
      house.read((tx) => openValue(tx, id, keys, { version, now: house.clock.now() }).then(String));
    expect(await read(3)).toContain('-1"');
    expect(await read(2)).toContain('-2"');
    house.clock.advance(hour);
    await expect(read(2)).rejects.toMatchObject({ code: 'version_unreadable' });
    expect(await read(3)).toContain('-1"');
    await expect(read(9)).rejects.toMatchObject({ code: 'version_gone' });
    put('3');
    await house.cycle(backend);
    expect((await versions()).map(({ version }) => version)).toEqual([4, 3]);
  });

  test('makes the value new, for a rule that says how often it is to be rotated', async () => {
    await rotated({ lifecycle_rules: [{ paths: ['**'], rotate_every_seconds: day }] });
    house.clock.advance(2 * day);
    expect(await house.sweep()).toMatchObject({ 'keys.rotation_overdue': 2 });
    await rollBack(1);
    expect((await key()).rotation_due_at?.getTime()).toBe(house.clock.now().getTime() + day * 1000);
    house.clock.advance(day);
    expect(await house.sweep()).toMatchObject({ 'keys.rotation_overdue': 1 });
  });

  test.each([
    [2, 'nothing_to_roll_back'],
    [7, 'version_gone'],
    [0, 'version_gone'],
  ])('to version %i is refused as %s, and nothing is changed', async (version, code) => {
    await rotated();
    await expect(rollBack(version)).rejects.toMatchObject({ code });
    expect(await key()).toMatchObject({ version: 2, rolled_back: false });
    expect(await audited('key.rolled_back')).toEqual([]);
  });

  test('to an earlier version of the same value is refused', async () => {
    await rotated();
    await rollBack(1);
    await expect(rollBack(1)).rejects.toMatchObject({ code: 'nothing_to_roll_back' });
    expect(await versions()).toHaveLength(3);
  });

  test('of a key that is not served is refused', async () => {
    await rotated();
    await revoke();
    await expect(rollBack(1)).rejects.toMatchObject({
      code: 'key_not_served',
      message: expect.stringContaining('revoked'),
    });
    const missing = { tenantId: house.tenantId, path: 'bifrost/none', may, toVersion: 1, reason: null, by: 'ann' };
    await expect(rollBackKey(house.services, missing)).rejects.toMatchObject({ code: 'key_not_found' });
  });

  test('while a cycle carries a newer value leaves one of the two, whole', async () => {
    const backend = await rotated();
    put('3');
    await Promise.all([house.cycle(backend), rollBack(1)]);
    expect(['1', '3']).toContain(await servedValue());
    const numbers = (await versions()).map(({ version }) => version);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect((await key()).version).toBe(Math.max(...numbers));
  });
});

describe('a restored backup', () => {
  const backups = (limit = 10) => house.read((tx) => listBackups(tx, { path, limit }));
  const restore = async (by = 'ann') => {
    const [backup] = await backups();
    return await restoreBackup(house.services, {
      tenantId: house.tenantId,
      backupId: backup?.id ?? '',
      may,
      reason: 'still in use',
      by,
    });
  };

  async function deprecated(settings: Parameters<House['addBackend']>[0] = {}) {
    const backend = await rotated(settings);
    house.vault.kv('secret').deleteMetadata(path);
    await house.cycle(backend);
    expect((await house.states())[path]).toBe('deprecated');
    return backend;
  }

  test('brings a deprecated key back without a new version, and no cycle or sweep takes it away again', async () => {
    const backend = await deprecated();
    expect(await restore()).toMatchObject({ path, version: 2, newVersion: false });
    expect(await key()).toMatchObject({ state: 'active', kept: true, deprecated_at: null, archive_at: null });
    expect(await servedValue()).toBe('2');
    expect(await backups()).toMatchObject([{ restored_by: 'ann', restored_at: house.clock.now() }]);
    const told = (await house.events('keys.restored')).at(-1);
    expect(told?.data).toMatchObject({ paths: [path], actor: 'ann', cycle_id: null });
    expect((await story())[0]).toMatchObject({
      change: 'restored',
      from_state: 'deprecated',
      to_state: 'active',
      actor: 'ann',
      reason: 'still in use',
    });
    expect(await audited('backup.restored')).toMatchObject([{ actor: 'ann', target: path }]);

    for (let again = 0; again < 2; again++) {
      expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 0, kept: 1 });
      house.clock.advance(100 * day);
      await house.sweep();
    }
    expect((await house.states())[path]).toBe('active');
  });

  test('counts as found once the vault has it again, and may go as any other after that', async () => {
    const backend = await deprecated();
    await restore();
    house.clock.advance(60);
    put('2');
    await house.cycle(backend);
    expect(await key()).toMatchObject({ state: 'active', kept: false });
    house.vault.kv('secret').deleteMetadata(path);
    expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 1 });
  });

  test('of an archived key has the value of then, as a new version if another is current', async () => {
    const backend = await deprecated();
    const [first] = await backups();
    house.clock.advance(60);
    put('3');
    await house.cycle(backend);
    house.vault.kv('secret').deleteMetadata(path);
    await house.cycle(backend);
    house.clock.advance(day + 1);
    await house.cycle(backend);
    await house.sweep();
    expect((await house.states())[path]).toBe('archived');

    const request = { tenantId: house.tenantId, backupId: first?.id ?? '', may, reason: null, by: 'ann' };
    expect(await restoreBackup(house.services, request)).toMatchObject({ version: 4, newVersion: true });
    expect(await servedValue()).toBe('2');
    expect((await versions())[0]).toMatchObject({ version: 4, source: 'backup' });
    expect(await key()).toMatchObject({ state: 'active', kept: true, version: 4, purge_at: null });
    put('5');
    await house.cycle(backend);
    expect(await servedValue()).toBe('5');
  });

  test('is refused where the key was found again, is revoked, or has expired, and nothing is changed', async () => {
    const backend = await deprecated();
    await revoke();
    await expect(restore()).rejects.toMatchObject({ code: 'key_revoked' });
    await house.read((tx) =>
      tx
        .updateTable('keys')
        .set({ revoked: false, expires_at: house.clock.now() })
        .where('local_path', '=', path)
        .execute(),
    );
    await expect(restore()).rejects.toMatchObject({ code: 'key_expired' });
    await house.read((tx) => tx.updateTable('keys').set({ expires_at: null }).where('local_path', '=', path).execute());
    house.clock.advance(60);
    put('4');
    await house.cycle(backend);
    await expect(restore()).rejects.toMatchObject({ code: 'restore_taken' });
    expect(await servedValue()).toBe('4');
    expect(await backups()).toMatchObject([{ restored_at: null }]);
    expect(await audited('backup.restored')).toEqual([]);
  });

  test('is not there where there was none, or once its key was purged', async () => {
    const unknown = '00000000-0000-4000-8000-00000000dead';
    const request = { tenantId: house.tenantId, backupId: unknown, may, reason: null, by: 'ann' };
    await expect(restoreBackup(house.services, request)).rejects.toMatchObject({ code: 'backup_not_found' });
    const backend = await deprecated({ grace_period_seconds: 60, retain_archived_seconds: 60 });
    expect(await backups()).toHaveLength(1);
    house.clock.advance(61);
    await house.cycle(backend);
    await house.sweep();
    house.clock.advance(2 * day);
    expect(await house.sweep()).toMatchObject({ 'keys.purged': 1 });
    expect(await backups()).toEqual([]);
  });
});
