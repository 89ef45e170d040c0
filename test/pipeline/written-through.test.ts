import { addsUp, type CycleCounts } from '@keyferry/core';
import { type Backend, type Cycle, listBackups, listKeyChanges } from '@keyferry/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { planOf } from '../support/plan.ts';
import { beginWrite, deleteHere, writeHere } from '../support/written.ts';

/** What cycles write to a vault, and what they make of writes that others have begun. */

const path = 'bifrost/a';

let house: House;
beforeEach(async () => {
  house = await openHouse();
  for (const name of ['a', 'b', 'c', 'd', 'e']) house.vault.kv('secret').put(`bifrost/${name}`, { value: name });
});
afterEach(() => house.close());

const put = (value: string) => void house.vault.kv('secret').put(path, { value });
const served = async () => (JSON.parse(await house.value(path)) as { value: string }).value;
const record = () =>
  house.read((tx) => tx.selectFrom('keys').selectAll().where('local_path', '=', path).executeTakeFirstOrThrow());
const inVault = () => JSON.parse(house.vault.kv('secret').get(path)?.data ?? '{}').value;

/** A backend with five keys, of which one is then changed here. */
async function changedHere(settings: Parameters<House['addBackend']>[0] = {}, value = 'ours'): Promise<Backend> {
  const backend = await house.addBackend(settings);
  await house.cycle(backend);
  await writeHere(house, { backend, path }, value);
  return backend;
}

async function counts(backend: Backend): Promise<Cycle['counts']> {
  const cycle = await house.cycle(backend);
  expect(cycle.state, cycle.error_message ?? '').toBe('completed');
  expect(addsUp(cycle.counts as CycleCounts)).toBe(true);
  return cycle.counts;
}

const told = async (type: string) => (await house.events(type)).map(({ data }) => data);

const pushing = { access_mode: 'read_and_write', writes: 'write_through' } as const;

describe('a backend that is written through', () => {
  test('gets what is ahead of it, on condition that it has what was read', async () => {
    const backend = await changedHere(pushing);
    expect(await counts(backend)).toMatchObject({ ahead: 1, pushed: 1, unpushed: 0 });
    expect(inVault()).toBe('ours');
    const after = await record();
    expect(after).toMatchObject({ version: 2, remote_version: '2', owned: false });
    expect(await house.read((tx) => listKeyChanges(tx, after.id, 1))).toMatchObject([{ change: 'pushed', version: 2 }]);
    expect(after.base_digest).toEqual(after.local_digest);
    const next = await house.cycle(backend);
    expect(next.counts).toMatchObject({ unchanged: 5, pushed: 0 });
    expect(next.calls).not.toHaveProperty('read');
  });

  test('is written by nobody else meanwhile', async () => {
    const backend = await changedHere(pushing);
    const begun = () => house.read((tx) => tx.selectFrom('write_intents').selectAll().execute());
    house.vault.setLatency(200);
    const cycle = house.cycle(backend);
    await expect.poll(begun, { interval: 10, timeout: 5_000 }).toMatchObject([{ kind: 'put', remote_path: path }]);
    expect((await cycle).counts).toMatchObject({ pushed: 1 });
    expect(await begun()).toEqual([]);
  });

  test('gets ours where local_wins has kept it', async () => {
    const backend = await changedHere({ ...pushing, conflict_policy: 'local_wins' });
    put('theirs');
    expect(await counts(backend)).toMatchObject({ ahead: 1, pushed: 1 });
    expect(inVault()).toBe('ours');
    // Both agree by now: what the vault has next is news.
    put('theirs, later');
    expect(await counts(backend)).toMatchObject({ updated: 1, pushed: 0 });
    expect(await served()).toBe('theirs, later');
  });

  test('gets nothing of what is in conflict, rolled back, or deleted here', async () => {
    const backend = await changedHere({ ...pushing, conflict_policy: 'manual' });
    put('theirs');
    await writeHere(house, { backend, path: 'bifrost/b' }, 'earlier');
    await house.read((tx) =>
      tx.updateTable('keys').set({ rolled_back: true }).where('local_path', '=', 'bifrost/b').execute(),
    );
    await deleteHere(house, { backend, path: 'bifrost/c' });
    expect(await counts(backend)).toMatchObject({ conflicting: 1, pushed: 0, unpushed: 0, unchanged: 4 });
    expect(inVault()).toBe('theirs');
  });

  test('that refuses it leaves the key ahead, with an issue, and the others go on', async () => {
    const allow = (paths: string[]) => {
      const writable = paths.map((name) => [`secret/data/bifrost/${name}`, ['read', 'create', 'update']] as const);
      house.vault.policies.write('some', { '*': ['read', 'list'], ...Object.fromEntries(writable) });
    };
    allow(['b']);
    const token = house.vault.tokens.create({ policies: ['some'] });
    const backend = await changedHere({ ...pushing, auth: { method: 'token', token } });
    await writeHere(house, { backend, path: 'bifrost/b' }, 'ours as well');
    const cycle = await house.cycle(backend);
    expect(cycle).toMatchObject({ state: 'completed', issues: 1, counts: { ahead: 2, pushed: 1, unpushed: 1 } });
    expect(await house.issues(cycle.id)).toMatchObject([
      { remote_path: path, outcome: 'unpushed', code: 'vault_forbidden', class: 'forbidden' },
    ]);
    expect(await served()).toBe('ours');
    allow(['a', 'b']);
    expect(await counts(backend)).toMatchObject({ ahead: 1, pushed: 1 });
    expect(inVault()).toBe('ours');
  });

  test('whose answer was lost has it all the same, as the next cycle finds', async () => {
    const backend = await changedHere(pushing);
    const effect = { kind: 'status', status: 403, body: { errors: ['permission denied'] } } as const;
    const lost = house.vault.faults.inject({ effect, path: `secret/data/${path}`, method: 'POST' });
    expect(await counts(backend)).toMatchObject({ ahead: 1, pushed: 0, unpushed: 1 });
    expect([lost.hits, inVault()]).toEqual([1, 'ours']);
    expect(await counts(backend)).toMatchObject({ unchanged: 5, unpushed: 0 });
    expect((await record()).remote_version).toBe('2');
  });

  test('gets a secret for what is only here, which Keyferry owns from then on', async () => {
    const backend = await house.addBackend(pushing);
    await house.cycle(backend);
    await writeHere(house, { backend, path: 'bifrost/new' }, 'made here');
    await house.change(backend, { sync_paths: ['bifrost/*', 'elsewhere/*'] });
    await writeHere(house, { backend, path: 'elsewhere/new' }, 'out of scope by then');
    await house.change(backend, { sync_paths: ['bifrost/*'] });
    expect(await counts(backend)).toMatchObject({ discovered: 5, pushed: 1 });
    const [made] = (await house.keys()).filter(({ local_path }) => local_path === 'bifrost/new');
    expect(made).toMatchObject({ state: 'active', remote_version: '1', version: 1 });
    const row = await house.read((tx) =>
      tx
        .selectFrom('keys')
        .select('owned')
        .where('id', '=', made?.id ?? '')
        .executeTakeFirst(),
    );
    expect(row).toEqual({ owned: true });
    expect(JSON.parse(house.vault.kv('secret').get('bifrost/new')?.data ?? '')).toEqual({ value: 'made here' });
    expect(await house.read((tx) => tx.selectFrom('write_intents').selectAll().execute())).toEqual([]);
    expect(await counts(backend)).toMatchObject({ discovered: 6, unchanged: 6, pushed: 0 });
  });

  test('that has something there by then is not written over: the policy decides', async () => {
    const backend = await house.addBackend({ ...pushing, conflict_policy: 'manual' });
    await house.cycle(backend);
    await writeHere(house, { backend, path: 'bifrost/new' }, 'ours');
    house.vault.kv('secret').put('bifrost/new', { value: 'theirs' });
    expect(await counts(backend)).toMatchObject({ discovered: 6, conflicting: 1, pushed: 0 });
    expect(house.vault.kv('secret').get('bifrost/new')?.data).toContain('theirs');
  });
});

test('KV version 1, which tells no versions, gets what is ahead of it and what is only here', async () => {
  house.vault.mounts.enable('old', { type: 'kv', version: 1 });
  const old = house.vault.kv('old');
  old.put(path, { value: 'theirs' });
  const config = { address: house.vault.url, mount: 'old' };
  const backend = await house.addBackend({ ...pushing, config });
  await house.cycle(backend);
  await writeHere(house, { backend, path }, 'ours');
  await writeHere(house, { backend, path: 'bifrost/new' }, 'ours as well');
  expect(await counts(backend)).toMatchObject({ discovered: 1, ahead: 1, pushed: 2 });
  expect([old.get(path)?.data, old.get('bifrost/new')?.data]).toEqual(['{"value":"ours"}', '{"value":"ours as well"}']);
  expect(await counts(backend)).toMatchObject({ discovered: 2, unchanged: 2, pushed: 0 });
});

test('a plan says all of it as the cycle after it does, and writes nothing to the vault', async () => {
  const backend = await changedHere({ ...pushing, conflict_policy: 'manual' });
  put('theirs');
  for (const name of ['b', 'c']) await writeHere(house, { backend, path: `bifrost/${name}` }, 'ours');
  house.vault.kv('secret').deleteMetadata('bifrost/c');
  await writeHere(house, { backend, path: 'bifrost/new' }, 'ours');
  await deleteHere(house, { backend, path: 'bifrost/d' });
  house.vault.kv('secret').deleteMetadata('bifrost/d');
  await beginWrite(house, { backend, path: 'bifrost/e' }, { value: null });
  house.vault.kv('secret').deleteMetadata('bifrost/e');
  house.clock.advance(1);
  const { changes, summary } = await planOf(house, backend);
  expect(Object.fromEntries(changes.map(({ path: key, change, code }) => [key, [change, code]]))).toEqual({
    [path]: ['conflict', 'conflict_manual'],
    'bifrost/b': ['push', null],
    'bifrost/c': ['conflict', 'conflict_manual'],
    'bifrost/e': ['delete', null],
    'bifrost/new': ['push', null],
  });
  expect(inVault()).toBe('theirs');
  const cycle = await house.cycle(backend);
  expect([summary.counts, summary.issues]).toEqual([cycle.counts, cycle.issues]);
  expect(cycle.counts).toMatchObject({ conflicting: 1, conflicts_removed: 1, ahead: 1, pushed: 2, archived: 1 });
});

describe('a write to the vault whose process died before it was stored', () => {
  const writes = () => house.read((tx) => tx.selectFrom('write_intents').selectAll().execute());

  test('makes a new key what the write would have made it', async () => {
    const backend = await house.addBackend();
    await house.cycle(backend);
    await beginWrite(house, { backend, path: 'bifrost/new' }, { value: 'made', creates: true, ownedFor: 'backend:x' });
    house.vault.kv('secret').put('bifrost/new', { value: 'made' });
    expect(await counts(backend)).toMatchObject({ added: 1 });
    const row = await house.read((tx) =>
      tx.selectFrom('keys').select(['owned', 'owned_for', 'state']).where('local_path', '=', 'bifrost/new').execute(),
    );
    expect(row).toEqual([{ owned: true, owned_for: 'backend:x', state: 'active' }]);
    expect(await writes()).toEqual([]);
  });

  test('is stored, whatever the policy says of a value that was changed here before', async () => {
    const backend = await changedHere({ conflict_policy: 'manual' }, 'before');
    await beginWrite(house, { backend, path }, { value: 'written' });
    put('written');
    expect(await counts(backend)).toMatchObject({ updated: 1, conflicting: 0 });
    expect(await served()).toBe('written');
    expect(await record()).toMatchObject({ owned: false, tombstone: false });
    expect(await writes()).toEqual([]);
  });

  test('is remembered while it may be under way, and stored as soon as the vault has it', async () => {
    const backend = await house.addBackend(pushing);
    await house.cycle(backend);
    await beginWrite(house, { backend, path }, { value: 'written', left: false });
    put('theirs');
    expect(await counts(backend)).toMatchObject({ updated: 1 });
    expect(await writes()).toHaveLength(1);
    // Nobody else writes the secret meanwhile.
    await writeHere(house, { backend, path }, 'before');
    expect(await counts(backend)).toMatchObject({ ahead: 1, pushed: 0 });
    put('written');
    expect(await counts(backend)).toMatchObject({ updated: 1 });
    expect(await served()).toBe('written');
    expect(await writes()).toEqual([]);
  });

  test('is found out though the vault was away for days', async () => {
    const backend = await house.addBackend();
    await house.cycle(backend);
    await beginWrite(house, { backend, path: 'bifrost/new' }, { value: 'made', creates: true });
    house.vault.kv('secret').put('bifrost/new', { value: 'made' });
    house.clock.advance(3 * 24 * 3600);
    expect(await counts(backend)).toMatchObject({ added: 1 });
    const rows = await house.read((tx) =>
      tx.selectFrom('keys').select('owned').where('local_path', '=', 'bifrost/new').execute(),
    );
    expect(rows).toEqual([{ owned: true }]);
    await beginWrite(house, { backend, path: 'bifrost/never' }, { value: 'made', creates: true });
    await house.cycle(backend);
    house.clock.advance(3 * 24 * 3600);
    await house.cycle(backend);
    expect(await writes()).toEqual([]);
  });

  test('and that was never made is forgotten', async () => {
    const backend = await house.addBackend();
    await house.cycle(backend);
    await beginWrite(house, { backend, path }, { value: 'written' });
    expect(await counts(backend)).toMatchObject({ unchanged: 5 });
    expect(await writes()).toEqual([]);
    expect(await served()).toBe('a');
  });

  test.each([true, false])(
    'and that was a removal archives the key, with auto_deprecate %s',
    async (auto_deprecate) => {
      const backend = await house.addBackend({ auto_deprecate });
      await house.cycle(backend);
      await beginWrite(house, { backend, path }, { value: null });
      house.vault.kv('secret').delete(path);
      expect(await counts(backend)).toMatchObject({ deprecated: 0, missing: 0, archived: 1 });
      expect(await record()).toMatchObject({ state: 'archived', tombstone: false });
      expect(await told('keys.deleted')).toMatchObject([{ paths: [path], removed_from: 'vault' }]);
      expect(await house.read((tx) => listBackups(tx, { path, limit: 5 }))).toMatchObject([{ reason: 'deleted' }]);
      expect(await writes()).toEqual([]);
    },
  );
});
