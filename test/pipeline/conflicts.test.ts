import { addsUp, type CycleCounts } from '@keyferry/core';
import { resolveBackendConflicts, restoreBackup } from '@keyferry/pipeline';
import { type Backend, type Cycle, listBackups, listConflicts } from '@keyferry/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { may } from '../support/all-paths.ts';
import { type House, openHouse } from '../support/house.ts';
import { deleteHere, writeHere } from '../support/written.ts';

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
    const request = { tenantId: house.tenantId, backupId: backup?.id ?? '', may, reason: null, by: 'ann' };
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
