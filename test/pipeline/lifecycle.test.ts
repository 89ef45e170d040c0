import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

const hour = 3600;
const day = 24 * hour;

let house: House;
beforeEach(async () => {
  house = await openHouse();
  const secrets = house.vault.kv('secret');
  for (const name of ['a', 'b', 'c', 'd']) secrets.put(`bifrost/${name}`, { value: name });
});
afterEach(() => house.close());

async function deprecated() {
  const backend = await house.addBackend();
  await house.cycle(backend);
  house.vault.kv('secret').deleteMetadata('bifrost/a');
  await house.cycle(backend);
  expect((await house.states())['bifrost/a']).toBe('deprecated');
  return backend;
}

test('a deprecated key is archived when its grace is over, not before, and purged after its retention with the audit kept', async () => {
  const backend = await deprecated();
  await house.cycle(backend);
  house.clock.advance(day - 2);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('deprecated');
  house.clock.advance(1);
  expect(await house.sweep()).toMatchObject({ 'keys.archived': 1 });
  expect((await house.states())['bifrost/a']).toBe('archived');

  house.clock.advance(90 * day - 1);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('archived');
  house.clock.advance(1);
  expect(await house.sweep()).toMatchObject({ 'keys.purged': 1 });
  expect(await house.states()).not.toHaveProperty('bifrost/a');
  const versions = await house.read((tx) => tx.selectFrom('key_versions').select('key_id').execute());
  expect(versions).toHaveLength(3);
  const audit = await house.read((tx) => tx.selectFrom('audit_log').select(['action', 'target']).execute());
  expect(audit).toContainEqual({ action: 'key.purged', target: 'bifrost/a' });
  const types = (await house.events()).map((event) => event.type);
  expect(types.filter((type) => type === 'keys.archived' || type === 'keys.purged')).toEqual([
    'keys.archived',
    'keys.purged',
  ]);
});

test('a vault that can’t be read when the grace ends keeps its deprecated keys served', async () => {
  const backend = await deprecated();
  house.vault.seal();
  house.clock.advance(day + 1);
  await house.cycle(backend);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('deprecated');
  house.vault.unseal();
  await house.cycle(backend);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('archived');
});

test('a deprecated key that is listed again but can’t be read is not archived', async () => {
  const backend = await deprecated();
  house.clock.advance(day + 1);
  house.vault.kv('secret').put('bifrost/a', { value: 'back' });
  const fault = house.vault.faults.inject({
    effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
    path: 'secret/data/bifrost/a',
  });
  expect((await house.cycle(backend)).counts).toMatchObject({ failed: 1 });
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('deprecated');
  fault.remove();
  expect((await house.cycle(backend)).counts).toMatchObject({ restored: 1 });
});

test('an archived key that is found again is active', async () => {
  const backend = await deprecated();
  await house.cycle(backend);
  house.clock.advance(day);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('archived');
  house.vault.kv('secret').put('bifrost/a', { value: 'back' });
  expect((await house.cycle(backend)).counts).toMatchObject({ restored: 1 });
  expect((await house.states())['bifrost/a']).toBe('active');
  expect(await house.value('bifrost/a')).toBe('{"value":"back"}');
});

test('delete_version_after expires a key, a new version brings it back', async () => {
  const secrets = house.vault.kv('secret');
  secrets.put('bifrost/short', { value: '1' }, { deleteVersionAfter: 2 * hour });
  const backend = await house.addBackend();
  await house.cycle(backend);
  const key = (await house.keys()).find((candidate) => candidate.local_path === 'bifrost/short');
  expect(key?.expires_at?.getTime()).toBeGreaterThan(house.clock.now().getTime());

  house.clock.advance(2 * hour);
  expect(await house.sweep()).toMatchObject({ 'keys.expired': 1 });
  expect((await house.states())['bifrost/short']).toBe('expired');
  expect((await house.cycle(backend)).counts).toMatchObject({ gone: 1, deprecated: 0, unchanged: 4 });
  expect((await house.states())['bifrost/short']).toBe('expired');

  secrets.put('bifrost/short', { value: '2' });
  await house.cycle(backend);
  expect((await house.states())['bifrost/short']).toBe('active');
});

test('expiry by custom metadata, and a later one without a new version renews the key', async () => {
  const secrets = house.vault.kv('secret');
  const at = (seconds: number) => new Date(house.clock.now().getTime() + seconds * 1000).toISOString();
  secrets.put('bifrost/tagged', { value: '1' }, { customMetadata: { expires_at: at(hour), type: 'virtual_key' } });
  const backend = await house.addBackend();
  await house.cycle(backend);
  house.clock.advance(hour);
  await house.sweep();
  expect((await house.states())['bifrost/tagged']).toBe('expired');
  expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 5, expired: 1 });

  secrets.put('bifrost/tagged', { value: '1' }, { customMetadata: { expires_at: at(day), type: 'virtual_key' } });
  await house.cycle(backend);
  const key = (await house.keys()).find((candidate) => candidate.local_path === 'bifrost/tagged');
  expect(key).toMatchObject({ state: 'active', type: 'virtual_key' });
});

test('a key that is expired when it is first seen is stored as expired', async () => {
  const expired = new Date(house.clock.now().getTime() - 1000).toISOString();
  house.vault.kv('secret').put('bifrost/late', { value: '1' }, { customMetadata: { expires_at: expired } });
  const cycle = await house.cycle(await house.addBackend());
  expect(cycle.counts).toMatchObject({ added: 5 });
  expect((await house.states())['bifrost/late']).toBe('expired');
});

test('at most ten versions of a value are kept', async () => {
  const backend = await house.addBackend();
  for (let version = 0; version < 13; version++) {
    house.vault.kv('secret').put('bifrost/a', { value: `v${version}` });
    await house.cycle(backend);
  }
  const key = (await house.keys()).find((candidate) => candidate.local_path === 'bifrost/a');
  const versions = await house.read((tx) =>
    tx
      .selectFrom('key_versions')
      .select('version')
      .where('key_id', '=', key?.id ?? '')
      .orderBy('version')
      .execute(),
  );
  expect(versions.map((row) => row.version)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  expect(await house.value('bifrost/a')).toBe('{"value":"v12"}');
});

test('a vault that shows an older version than the stored one is told of, and takes nothing away', async () => {
  const secrets = house.vault.kv('secret');
  const backend = await house.addBackend();
  await house.cycle(backend);
  house.clock.advance(60);
  secrets.put('bifrost/a', { value: 'newer' });
  await house.cycle(backend);
  // As after a restore of the vault from a backup.
  secrets.deleteMetadata('bifrost/a');
  house.clock.advance(-3600);
  secrets.put('bifrost/a', { value: 'older' });
  house.clock.advance(3600);
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', counts: { skipped: 1, unchanged: 3, deprecated: 0 } });
  expect(await house.issues(cycle.id)).toMatchObject([{ remote_path: 'bifrost/a', code: 'version_older' }]);
  expect(await house.value('bifrost/a')).toBe('{"value":"newer"}');

  const now = house.clock.now();
  await house.read((tx) =>
    tx
      .updateTable('keys')
      .set({ state: 'deprecated', deprecated_at: now, deprecated_for: 'absent', archive_at: now })
      .where('local_path', '=', 'bifrost/a')
      .execute(),
  );
  house.clock.advance(2 * day);
  await house.cycle(backend);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('deprecated');
});

test('a deprecated key is not archived before a full cycle that began after its deprecation lacked it too', async () => {
  const backend = await deprecated();
  house.clock.advance(day + 1);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('deprecated');
  await house.cycle(backend);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('archived');
});

test('a deprecated key that narrowed sync_paths no longer cover is not archived by listings that never looked', async () => {
  house.vault.kv('secret').put('bifrost/team/e', { value: 'e' });
  const backend = await deprecated();
  await house.read((tx) =>
    tx
      .updateTable('backends')
      .set({ sync_paths: ['bifrost/team/*'] })
      .execute(),
  );
  house.clock.advance(day + 1);
  await house.cycle(backend);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('deprecated');
});

test('a key that expires in the middle of a cycle is told of once', async () => {
  const backend = await house.addBackend();
  await house.cycle(backend);
  const past = new Date(house.clock.now().getTime() - 1000).toISOString();
  house.vault.kv('secret').put('bifrost/a', { value: 'a' }, { customMetadata: { expires_at: past } });
  await house.cycle(backend);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('expired');
  expect((await house.events('keys.expired')).map((event) => event.data.paths)).toEqual([['bifrost/a']]);
});

test('odd metadata of one secret keeps no other from being stored', async () => {
  const effect = {
    kind: 'garbage',
    contentType: 'application/json',
    body: JSON.stringify({
      data: {
        data: { value: 'odd' },
        metadata: {
          version: 1,
          created_time: '2026-01-01T00:00:00Z',
          deletion_time: '',
          destroyed: false,
          custom_metadata: { note: 'a\u0000b\ud800' },
        },
      },
    }),
  } as const;
  house.vault.faults.inject({ effect, path: 'secret/data/bifrost/a' });
  const cycle = await house.cycle(await house.addBackend());
  expect(cycle).toMatchObject({ state: 'completed', counts: { added: 4 } });
});

test('keys that were purged soon still count for the guard of the day', async () => {
  const secrets = house.vault.kv('secret');
  for (let index = 0; index < 46; index++) secrets.put(`bifrost/k${index}`, { value: 'x' });
  const backend = await house.addBackend({ grace_period_seconds: 60, retain_archived_seconds: 60 });
  await house.cycle(backend);
  let removed = 0;
  for (let bite = 0; bite < 4; bite++) {
    for (let index = 0; index < 4; index++) secrets.deleteMetadata(`bifrost/k${removed++}`);
    await house.cycle(backend);
    house.clock.advance(61);
    await house.cycle(backend);
    await house.sweep();
    house.clock.advance(61);
    await house.sweep();
  }
  const states = Object.values(await house.states());
  expect(states.filter((state) => state === 'active')).toHaveLength(42);
  expect(states.filter((state) => state === 'archived')).toHaveLength(8);
});

test('a revoked key is never purged, since it would come back', async () => {
  const backend = await house.addBackend();
  await house.cycle(backend);
  await house.read((tx) =>
    tx.updateTable('keys').set({ revoked: true, state: 'archived' }).where('local_path', '=', 'bifrost/a').execute(),
  );
  house.clock.advance(200 * day);
  await house.sweep();
  await house.cycle(backend);
  expect((await house.states())['bifrost/a']).toBe('archived');
});

test('a deprecated key that is listed again, but excluded by now, is not archived', async () => {
  const backend = await deprecated();
  house.vault.kv('secret').put('bifrost/a', { value: 'back' });
  await house.read((tx) =>
    tx
      .updateTable('backends')
      .set({ exclude_paths: ['bifrost/a'] })
      .execute(),
  );
  house.clock.advance(day + 1);
  await house.cycle(backend);
  await house.sweep();
  expect((await house.states())['bifrost/a']).toBe('deprecated');
});
