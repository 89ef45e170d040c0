import { addsUp } from '@keyferry/core';
import { approveHeld, previewChange } from '@keyferry/pipeline';
import { type Backend, getBackend, listHolds } from '@keyferry/store';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { planOf } from '../support/plan.ts';

/** What a cycle does with what is proxied: nothing, but that the vault is seen to be there. */

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterEach(async () => {
  house.vault.faults.clear();
  await house.clear();
  house.vault.mounts.disable('secret');
  house.vault.mounts.enable('secret', { type: 'kv', version: 2 });
});
afterAll(() => house.close());

function seed(folder: string, count: number): void {
  house.vault
    .kv('secret')
    .seed(count, (index) => ({ path: `${folder}/k${index}`, data: { value: `${folder}-${index}` } }));
}

const shownBackend = (backend: Backend) => house.read((tx) => getBackend(tx, backend.id));
const openHolds = () => house.read((tx) => listHolds(tx, { limit: 10 }));
const preview = (backend: Backend, settings: Parameters<typeof previewChange>[1]['settings']) =>
  previewChange(house.services, { tenantId: house.tenantId, backend: backend.id, settings });
const external = { from: 'external/**', to: 'app/**' };

test('a cycle of a backend that is proxied as a whole asks whether its container is there, and nothing else', async () => {
  seed('bifrost', 5);
  const backend = await house.addBackend({ mode: 'proxy' });
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', issues: 0, counts: { discovered: 0, empty: 0 } });
  expect(addsUp(cycle.counts as never)).toBe(true);
  expect(Object.keys(cycle.calls).filter((operation) => operation !== 'login')).toEqual(['probe']);
  expect(await shownBackend(backend)).toMatchObject({
    last_success_at: house.clock.now(),
    latency_ms: expect.any(Number),
    scope_current: true,
  });
  expect(await house.keys()).toEqual([]);
  expect(await house.events('federation.sync.completed')).toHaveLength(1);
  // And it is due again like any other.
  expect(await house.claimDue()).toBe(0);
  house.clock.advance(300);
  expect(await house.claimDue()).toBe(1);
});

test('a proxied vault that is away is unreachable after three cycles, and recovers by the next good one', async () => {
  const backend = await house.addBackend({ mode: 'proxy' });
  house.vault.faults.inject({ effect: { kind: 'status', status: 503 } });
  for (let cycle = 0; cycle < 3; cycle++) expect((await house.cycle(backend)).state).toBe('failed');
  expect(await house.events('federation.backend.unreachable')).toHaveLength(1);
  house.vault.faults.clear();
  expect((await house.cycle(backend)).state).toBe('completed');
  expect(await house.events('federation.backend.recovered')).toHaveLength(1);
});

test('a policy that lets a proxied vault be read alone, and not listed, is enough', async () => {
  seed('app', 2);
  house.vault.faults.inject({
    path: 'secret/metadata/app*',
    operation: 'list',
    effect: { kind: 'status', status: 403 },
  });
  const path_mapping = [
    { from: 'team/**', to: 'team/**' },
    { ...external, mode: 'proxy' as const },
  ];
  seed('team', 2);
  const backend = await house.addBackend({ sync_paths: ['**'], path_mapping });
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', issues: 0, counts: { discovered: 2, added: 2 } });
  expect(Object.keys(await house.states()).sort()).toEqual(['team/k0', 'team/k1']);
});

test('of a proxied vault one subtree is carried, and that alone is listed', async () => {
  seed('app/hot', 2);
  seed('app/cold', 2);
  const path_mapping = [{ from: 'external/hot/**', to: 'app/hot/**', mode: 'sync' as const }, external];
  const backend = await house.addBackend({ mode: 'proxy', sync_paths: ['app/**'], path_mapping });
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({
    state: 'completed',
    issues: 0,
    counts: { discovered: 2, added: 2 },
    calls: { list: 1 },
  });
  expect(Object.keys(await house.states()).sort()).toEqual(['external/hot/k0', 'external/hot/k1']);
});

test('sync_paths that name nothing are told of where they are carried, and not where they are proxied', async () => {
  seed('team', 1);
  const path_mapping = [{ ...external, mode: 'proxy' as const }];
  const backend = await house.addBackend({ sync_paths: ['app/*', 'team/*', 'slip/*'], path_mapping });
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ issues: 1, counts: { empty: 1, added: 1 } });
  expect(await house.issues(cycle.id)).toMatchObject([{ remote_path: 'slip/*', code: 'nothing_found' }]);
});

test('from sync to proxy: foretold, held as every mass loss, and gone at a word, with no word from the vault', async () => {
  seed('bifrost', 4);
  const backend = await house.addBackend();
  await house.cycle(backend);
  expect(await preview(backend, { mode: 'proxy' })).toMatchObject({
    keys: 4,
    out_of_scope: { count: 4 },
    would_hold: true,
  });

  const proxied = await house.change(backend, { mode: 'proxy' });
  expect(proxied.scope_current).toBe(false);
  const plan = await planOf(house, proxied);
  expect(plan.summary).toMatchObject({ would_hold: true, counts: { discovered: 0, out_of_scope: 4, held: 4 } });
  const held = await house.cycle(proxied);
  expect(held.counts).toMatchObject(plan.summary.counts);
  expect(new Set(Object.values(await house.states()))).toEqual(new Set(['active']));
  const [hold] = await openHolds();

  const { cycle } = await approveHeld(house.services, { tenantId: house.tenantId, holdId: hold?.id ?? '', by: 'ann' });
  const ended = await house.ended(cycle?.id ?? '');
  expect(ended.counts).toMatchObject({ out_of_scope: 4, deprecated: 4, held: 0 });
  expect(ended.calls.confirm ?? 0).toBe(0);
  expect(await house.keys()).toMatchObject(Array(4).fill({ state: 'deprecated', deprecated_for: 'out_of_scope' }));
  expect(await openHolds()).toEqual([]);
});

test('from sync to proxy and back before anybody has answered: the hold ends, and nothing has happened', async () => {
  seed('bifrost', 4);
  const backend = await house.addBackend();
  await house.cycle(backend);
  await house.change(backend, { mode: 'proxy' });
  expect((await house.cycle(backend)).counts).toMatchObject({ held: 4 });
  await house.change(backend, { mode: 'sync' });
  expect((await house.cycle(backend)).counts).toMatchObject({ discovered: 4, unchanged: 4, held: 0 });
  expect(await openHolds()).toEqual([]);
});

test('back from proxy what went is found again, with what the vault has by then', async () => {
  seed('bifrost', 1);
  const backend = await house.addBackend();
  await house.cycle(backend);
  await house.change(backend, { mode: 'proxy' });
  expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 1 });
  house.vault.kv('secret').put('bifrost/k0', { value: 'newer' });
  house.clock.advance(30 * 3600);
  // A proxied backend's cycles go on, and so does the life of what it had.
  await house.cycle(backend);
  await house.sweep();
  expect(await house.states()).toEqual({ 'bifrost/k0': 'archived' });
  await house.change(backend, { mode: 'sync' });
  expect((await house.cycle(backend)).counts).toMatchObject({ restored: 1 });
  expect(await house.value('bifrost/k0')).toBe('{"value":"newer"}');
});

test('by the mode of one rule a subtree goes from proxy to sync, and a plan tells it before', async () => {
  seed('app/hot', 3);
  seed('app/cold', 3);
  const hot = { from: 'external/hot/**', to: 'app/hot/**' };
  const backend = await house.addBackend({ mode: 'proxy', sync_paths: ['app/**'], path_mapping: [hot, external] });
  expect((await house.cycle(backend)).counts).toMatchObject({ discovered: 0 });
  const flipped = await house.change(backend, { path_mapping: [{ ...hot, mode: 'sync' }, external] });
  const { summary, changes } = await planOf(house, flipped);
  expect(summary.counts).toMatchObject({ discovered: 3, added: 3 });
  expect(changes.map(({ path }) => path).sort()).toEqual(['external/hot/k0', 'external/hot/k1', 'external/hot/k2']);
  expect((await house.cycle(flipped)).counts).toMatchObject(summary.counts);
  expect(await preview(flipped, { path_mapping: [hot, external] })).toMatchObject({ out_of_scope: { count: 3 } });
});
