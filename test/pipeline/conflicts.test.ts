import { addsUp, type CycleCounts } from '@keyferry/core';
import { resolveBackendConflicts, restoreBackup } from '@keyferry/pipeline';
import { type Backend, type Cycle, listBackups, listConflicts, listKeyChanges } from '@keyferry/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { planOf } from '../support/plan.ts';
import { beginWrite, deleteHere, writeHere } from '../support/written.ts';

/** Values that change in the vault and here: each policy to its end, and what a person says. */

const path = 'bifrost/a';
const canary = 'canary-4c1e-conflicting';

let house: House;
beforeEach(async () => {
  house = await openHouse();
  for (const name of ['a', 'b', 'c', 'd', 'e']) house.vault.kv('secret').put(`bifrost/${name}`, { value: name });
});
afterEach(() => house.close());

const put = (value: string) => void house.vault.kv('secret').put(path, { value });
const gone = () => void house.vault.kv('secret').deleteMetadata(path);
const served = async () => (JSON.parse(await house.value(path)) as { value: string }).value;
const record = () =>
  house.read((tx) => tx.selectFrom('keys').selectAll().where('local_path', '=', path).executeTakeFirstOrThrow());
const conflicts = (backend: Backend) => house.read((tx) => listConflicts(tx, backend.id, { limit: 10 }));
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

describe('a value that was changed here and in the vault', () => {
  test('is the vault’s under backend_wins', async () => {
    const backend = await changedHere();
    expect(await counts(backend)).toMatchObject({ unchanged: 5, ahead: 0 });
    put('theirs');
    expect(await counts(backend)).toMatchObject({ updated: 1, conflicting: 0 });
    expect(await served()).toBe('theirs');
    expect(await told('conflict.detected')).toEqual([]);
  });

  test('is ours under local_wins, and the vault’s is noted as known', async () => {
    const backend = await changedHere({ conflict_policy: 'local_wins' });
    put('theirs');
    expect(await counts(backend)).toMatchObject({ ahead: 1 });
    expect(await counts(backend)).toMatchObject({ unchanged: 5 });
    expect(await served()).toBe('ours');
    expect(inVault()).toBe('theirs');
    expect(await told('conflict.detected')).toEqual([]);
  });

  test('is served as it was under manual, and waits for a person, who is told once', async () => {
    const backend = await changedHere({ conflict_policy: 'manual' }, `${canary}-ours`);
    put(`${canary}-theirs`);
    const cycle = await house.cycle(backend);
    expect(cycle).toMatchObject({ issues: 1, counts: { conflicting: 1, unchanged: 4 } });
    expect(await house.issues(cycle.id)).toMatchObject([{ remote_path: path, code: 'conflict_manual' }]);
    const [first] = await conflicts(backend);
    expect(first).toMatchObject({ path, kind: 'changed', source: 'local', version: 2, remote_version: '2' });
    expect(await told('conflict.detected')).toMatchObject([
      { paths: [path], keys: [{ path, kind: 'changed', remote_version: '2' }], cycle_id: cycle.id },
    ]);
    expect(await counts(backend)).toMatchObject({ conflicting: 1 });
    expect(await served()).toBe(`${canary}-ours`);
    expect((await conflicts(backend))[0]?.detected_at).toEqual(first?.detected_at);
    expect(await told('conflict.detected')).toHaveLength(1);
    const rows = await house.read((tx) => tx.selectFrom('conflicts').selectAll().execute());
    expect(rows[0]?.seen_at).toEqual(house.clock.now());
    expect(JSON.stringify([rows, await conflicts(backend), await house.events()])).not.toContain(canary);
  });

  test('is told of again where the vault changes again', async () => {
    const backend = await changedHere({ conflict_policy: 'manual' });
    put('theirs');
    await house.cycle(backend);
    put('theirs again');
    expect(await counts(backend)).toMatchObject({ conflicting: 1 });
    expect(await told('conflict.detected')).toMatchObject([
      { keys: [{ remote_version: '2' }] },
      { keys: [{ remote_version: '3' }] },
    ]);
  });

  test('is in conflict no more once both have the same, or the vault has what it had', async () => {
    const backend = await changedHere({ conflict_policy: 'manual' });
    put('theirs');
    await house.cycle(backend);
    put('ours');
    expect(await counts(backend)).toMatchObject({ unchanged: 5, conflicting: 0 });
    expect(await conflicts(backend)).toEqual([]);
    await writeHere(house, { backend, path }, 'ours, later');
    put('theirs, later');
    expect(await counts(backend)).toMatchObject({ conflicting: 1 });
    put('ours');
    expect(await counts(backend)).toMatchObject({ ahead: 1 });
    expect(await conflicts(backend)).toEqual([]);
    expect(await told('conflict.resolved')).toMatchObject([
      { paths: [path], keep: 'both', actor: null },
      { paths: [path], keep: 'local', actor: null },
    ]);
  });

  test('is settled by a policy that is set later', async () => {
    const backend = await changedHere({ conflict_policy: 'manual' });
    put('theirs');
    await house.cycle(backend);
    await house.change(backend, { conflict_policy: 'backend_wins' });
    expect(await counts(backend)).toMatchObject({ updated: 1 });
    expect(await served()).toBe('theirs');
    expect(await told('conflict.resolved')).toMatchObject([{ keep: 'remote', actor: null }]);
  });
});

describe('a value that was changed here and is gone from the vault', () => {
  test('goes under backend_wins', async () => {
    const backend = await changedHere();
    gone();
    expect(await counts(backend)).toMatchObject({ deprecated: 1, local_only: 0 });
    expect((await house.states())[path]).toBe('deprecated');
  });

  test('stays as a value that is only here under local_wins, and is looked for no more', async () => {
    const backend = await changedHere({ conflict_policy: 'local_wins' });
    gone();
    expect(await counts(backend)).toMatchObject({ deprecated: 0, local_only: 1 });
    const after = await record();
    expect(after).toMatchObject({ state: 'active', remote_version: null, remote_revision: null });
    expect([after.base_digest.length, after.remote_digest.length]).toEqual([0, 0]);
    const cycle = await house.cycle(backend);
    expect(cycle.counts).toMatchObject({ local_only: 0, unconfirmed: 0 });
    expect(cycle.calls.confirm).toBeUndefined();
    expect(await served()).toBe('ours');
    put('theirs');
    expect(await counts(backend)).toMatchObject({ discovered: 5, ahead: 1 });
    expect(await served()).toBe('ours');
  });

  test('is served as it was under manual, whatever the guard and auto_deprecate say, until a person has spoken', async () => {
    const backend = await changedHere({ conflict_policy: 'manual', auto_deprecate: false });
    gone();
    const cycle = await house.cycle(backend);
    expect(cycle).toMatchObject({ issues: 1, counts: { conflicts_removed: 1, conflicting: 0, missing: 0 } });
    expect(await house.issues(cycle.id)).toMatchObject([{ code: 'conflict_manual', outcome: 'conflicting' }]);
    expect(await conflicts(backend)).toMatchObject([{ path, kind: 'removed', remote_version: null }]);
    expect(await counts(backend)).toMatchObject({ conflicts_removed: 1 });
    expect(await told('conflict.detected')).toMatchObject([{ keys: [{ kind: 'removed', remote_version: null }] }]);
    expect(await served()).toBe('ours');
  });

  test('is no loss that the guard would hold back', async () => {
    const backend = await house.addBackend({ conflict_policy: 'manual' });
    await house.cycle(backend);
    for (const name of ['a', 'b', 'c', 'd']) {
      await writeHere(house, { backend, path: `bifrost/${name}` }, 'ours');
      house.vault.kv('secret').deleteMetadata(`bifrost/${name}`);
    }
    expect(await counts(backend)).toMatchObject({ conflicts_removed: 4, held: 0 });
  });

  test('is not in conflict without proof', async () => {
    const backend = await changedHere({ conflict_policy: 'manual' });
    gone();
    const body = { errors: ['permission denied'] };
    house.vault.faults.inject({ effect: { kind: 'status', status: 403, body }, path: `*/${path}` });
    expect(await counts(backend)).toMatchObject({ conflicts_removed: 0, unconfirmed: 1 });
    expect(await conflicts(backend)).toEqual([]);
  });
});

test('a value that is given to a key whose secret had gone before stays, under any policy', async () => {
  const backend = await house.addBackend();
  await house.cycle(backend);
  gone();
  expect(await counts(backend)).toMatchObject({ deprecated: 1 });
  await writeHere(house, { backend, path }, 'ours');
  expect(await counts(backend)).toMatchObject({ deprecated: 0, unconfirmed: 0 });
  expect((await house.states())[path]).toBe('active');
  expect(await served()).toBe('ours');
});

describe('what was deleted here', () => {
  async function deleted(settings: Parameters<House['addBackend']>[0] = {}) {
    const backend = await house.addBackend(settings);
    await house.cycle(backend);
    await deleteHere(house, { backend, path });
    return backend;
  }

  test('stays deleted while the vault stays as it is, and costs no read', async () => {
    const backend = await deleted();
    for (let again = 0; again < 2; again++) {
      const cycle = await house.cycle(backend);
      expect(cycle.counts).toMatchObject({ unchanged: 5, restored: 0 });
      expect(cycle.calls.read).toBeUndefined();
    }
    house.clock.advance(200 * 24 * 3600);
    await house.sweep();
    expect((await house.states())[path]).toBe('archived');
  });

  test.each([
    ['backend_wins', { restored: 1 }, 'active', false],
    ['local_wins', { ahead: 1 }, 'archived', true],
    ['manual', { conflicting: 1 }, 'archived', true],
  ] as const)('and changed in the vault follows %s', async (conflict_policy, expected, state, tombstone) => {
    const backend = await deleted({ conflict_policy });
    put('theirs');
    expect(await counts(backend)).toMatchObject(expected);
    expect(await record()).toMatchObject({ state, tombstone });
    if (state === 'active') expect(await served()).toBe('theirs');
    if (conflict_policy === 'manual') expect(await conflicts(backend)).toMatchObject([{ path, deleted: true }]);
  });

  test('comes back with a backup, and is an ordinary key again', async () => {
    const backend = await house.addBackend();
    await house.cycle(backend);
    gone();
    await house.cycle(backend);
    const [backup] = await house.read((tx) => listBackups(tx, { path, limit: 1 }));
    await deleteHere(house, { backend, path });
    const request = { tenantId: house.tenantId, backupId: backup?.id ?? '', reason: null, by: 'ann' };
    await restoreBackup(house.services, request);
    expect(await record()).toMatchObject({ state: 'active', tombstone: false });
    expect(await counts(backend)).toMatchObject({ kept: 1, deprecated: 0 });
  });

  test('is forgotten once the vault has lost it as well, and retained as any archived key', async () => {
    const backend = await deleted();
    gone();
    expect(await counts(backend)).toMatchObject({ deprecated: 0, unconfirmed: 0 });
    expect(await record()).toMatchObject({ state: 'archived', tombstone: false });
    house.clock.advance(91 * 24 * 3600);
    await house.cycle(backend);
    await house.sweep();
    expect(Object.keys(await house.states())).not.toContain(path);
  });
});

describe('a person’s word on a conflict', () => {
  const resolve = (backend: Backend, keep: 'local' | 'remote', paths: string[] | null = [path]) =>
    resolveBackendConflicts(house.services, {
      tenantId: house.tenantId,
      backend: backend.name,
      keep,
      paths,
      by: 'ann',
    });

  async function inConflict(): Promise<Backend> {
    const backend = await changedHere({ conflict_policy: 'manual' });
    put('theirs');
    await house.cycle(backend);
    return backend;
  }

  test.each([
    ['remote', 'theirs', { updated: 1 }],
    ['local', 'ours', { ahead: 1 }],
  ] as const)('that %s is to be kept is done by a cycle, at once', async (keep, value, expected) => {
    const backend = await inConflict();
    house.clock.advance(1);
    const { paths, cycleId } = await resolve(backend, keep);
    expect(paths).toEqual([path]);
    expect((await house.ended(cycleId ?? '')).counts).toMatchObject(expected);
    expect(await served()).toBe(value);
    expect(await conflicts(backend)).toEqual([]);
    expect(await told('conflict.resolved')).toMatchObject([{ paths: [path], keep, actor: 'ann' }]);
    expect(await counts(backend)).toMatchObject({ unchanged: 5 });
    const entries = await house.read((tx) =>
      tx.selectFrom('audit_log').selectAll().where('action', '=', 'conflicts.resolved').execute(),
    );
    expect(entries).toMatchObject([{ actor: 'ann', target: backend.name, details: { keep, paths: [path] } }]);
  });

  test('is only of what the vault had then', async () => {
    const backend = await inConflict();
    put('theirs, later');
    const { cycleId } = await resolve(backend, 'remote');
    expect((await house.ended(cycleId ?? '')).counts).toMatchObject({ conflicting: 1 });
    expect(await served()).toBe('ours');
    expect(await conflicts(backend)).toMatchObject([{ resolution: null, resolved_by: null, remote_version: '3' }]);
    expect(await told('conflict.detected')).toHaveLength(2);
  });

  test.each([
    ['local', { local_only: 1, deprecated: 0 }, 'active'],
    ['remote', { local_only: 0, deprecated: 1 }, 'deprecated'],
  ] as const)('of a secret that is gone: %s', async (keep, expected, state) => {
    const backend = await changedHere({ conflict_policy: 'manual' });
    gone();
    await house.cycle(backend);
    house.clock.advance(1);
    const { cycleId } = await resolve(backend, keep, null);
    expect((await house.ended(cycleId ?? '')).counts).toMatchObject(expected);
    expect((await house.states())[path]).toBe(state);
    expect(await told('conflict.resolved')).toMatchObject([{ keep, actor: 'ann' }]);
    expect(await conflicts(backend)).toEqual([]);
  });

  test('of a path that is in no conflict changes nothing', async () => {
    const backend = await inConflict();
    const refused = resolve(backend, 'remote', [path, 'bifrost/b', 'bifrost/c']);
    await expect(refused).rejects.toMatchObject({
      code: 'conflict_not_found',
      message: expect.stringContaining('/b"'),
    });
    expect(await conflicts(backend)).toMatchObject([{ resolution: null }]);
  });

  test('on all where there is none opens no cycle', async () => {
    const backend = await house.addBackend({ conflict_policy: 'manual' });
    expect(await resolve(backend, 'local', null)).toEqual({ backend: backend.name, paths: [], cycleId: null });
  });
});

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
    await writeHere(house, { backend, path: 'elsewhere/new' }, 'out of scope');
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

  test('is waited for while it may be under way, and stored as soon as the vault has it', async () => {
    const backend = await house.addBackend();
    await house.cycle(backend);
    await beginWrite(house, { backend, path }, { value: 'written', lastsSeconds: 60 });
    put('theirs');
    expect(await counts(backend)).toMatchObject({ unchanged: 5, updated: 0 });
    expect(await served()).toBe('a');
    put('written');
    expect(await counts(backend)).toMatchObject({ updated: 1 });
    expect(await writes()).toEqual([]);

    await beginWrite(house, { backend, path }, { value: 'never made', lastsSeconds: 60 });
    put('theirs');
    house.clock.advance(60);
    expect(await counts(backend)).toMatchObject({ updated: 1 });
    expect(await served()).toBe('theirs');
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
