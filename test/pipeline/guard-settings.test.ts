import { approveHeld, previewChange, rejectHeld, requestRemoval } from '@keyferry/pipeline';
import type { Backend, BackendSettings } from '@keyferry/store';
import { listHolds } from '@keyferry/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

/** Invariant 2, where it isn't secrets that are gone: policies, slips of the pen, and changes of settings. */

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

const names = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `k${from + index}`);

/** Twenty keys, six of them in a folder of their own, read under a policy. */
async function begin(settings: Partial<BackendSettings> = {}) {
  const secrets = house.vault.kv('secret');
  for (const name of names(1, 14)) secrets.put(`bifrost/${name}`, { value: name });
  for (const name of names(15, 20)) secrets.put(`bifrost/team/${name}`, { value: name });
  const { vault } = house;
  allow({ 'secret/metadata/*': ['read', 'list'], 'secret/data/*': ['read'] });
  vault.auth.enable('approle');
  const role_id = vault.auth.appRole('sync', { policies: ['reader'] });
  const auth = { method: 'approle', role_id, secret_id: vault.auth.secretId('sync') };
  const backend = await house.addBackend({ auth, ...settings });
  await house.cycle(backend);
  return { backend, secrets };
}

function allow(rules: Parameters<House['vault']['policies']['write']>[1]): void {
  house.vault.policies.write('reader', { ...rules, 'sys/internal/ui/mounts/*': ['read'] });
}

async function expectNoneDeprecated(): Promise<void> {
  const states = Object.values(await house.states());
  expect(states).toHaveLength(20);
  expect(new Set(states)).toEqual(new Set(['active']));
  expect(await house.events('keys.deprecated')).toEqual([]);
}

const openHolds = () => house.read((tx) => listHolds(tx, { limit: 10 }));
const decision = (holdId: string | undefined) => ({ tenantId: house.tenantId, holdId: holdId ?? '', by: 'ann' });

/** A listing that leaves these out, as if the vault had hidden them. */
function hide(path: string, kept: string[]): () => void {
  const body = { data: { keys: kept } };
  const fault = house.vault.faults.inject({ effect: { kind: 'status', status: 200, body }, path, operation: 'list' });
  return () => fault.remove();
}

describe('none is deprecated by', () => {
  test('a policy that takes the listing away: the cycle fails', async () => {
    const { backend } = await begin();
    allow({ 'secret/data/*': ['read'] });
    expect(await house.cycle(backend)).toMatchObject({ state: 'failed' });
    await expectNoneDeprecated();
  });

  test('a policy by which the listing is empty and nothing can be read: held, and after a person’s word still there', async () => {
    const { backend } = await begin();
    allow({ 'secret/metadata/*': ['list'] });
    const show = hide('secret/metadata/bifrost/', []);
    expect((await house.cycle(backend)).counts).toMatchObject({ held: 20, deprecated: 0 });
    await expectNoneDeprecated();
    const { cycle } = await approveHeld(house.services, decision((await openHolds())[0]?.id));
    expect((await house.ended(cycle?.id ?? '')).counts).toMatchObject({ deprecated: 0, unconfirmed: 20 });
    await expectNoneDeprecated();
    show();
  });

  test('a policy that forbids the listing of a folder with 30% of the keys: the cycle fails', async () => {
    const { backend } = await begin();
    allow({
      'secret/metadata/*': ['read', 'list'],
      'secret/metadata/bifrost/team/*': ['deny'],
      'secret/data/*': ['read'],
      'secret/data/bifrost/team/*': ['deny'],
    });
    expect(await house.cycle(backend)).toMatchObject({ state: 'failed', error_code: 'listing_incomplete' });
    await expectNoneDeprecated();
  });

  test('a policy that hides 30% of the keys: held where they are ten or more, and each is found by a direct read below that', async () => {
    const { backend } = await begin();
    const show = hide('secret/metadata/bifrost/', names(1, 14));
    const cycle = await house.cycle(backend);
    expect(cycle.counts).toMatchObject({ held: 0, deprecated: 0, unconfirmed: 6 });
    expect(new Set((await house.issues(cycle.id)).map(({ code }) => code))).toEqual(new Set(['hidden_from_listing']));
    await expectNoneDeprecated();
    await house.change(backend, { guard_at_least: 6 });
    expect((await house.cycle(backend)).counts).toMatchObject({ held: 6, deprecated: 0 });
    await expectNoneDeprecated();
    show();
    await house.cycle(backend);
    expect(await openHolds()).toEqual([]);
    expect((await house.events('deprecation.settled')).at(-1)?.data).toMatchObject({ state: 'ended', actor: null });
  });

  test('a wrong prefix: held, and over once it is mended', async () => {
    const { backend } = await begin();
    await house.change(backend, { sync_paths: ['bifrots/*'] });
    expect((await house.cycle(backend)).counts).toMatchObject({ held: 20, out_of_scope: 20, deprecated: 0 });
    await expectNoneDeprecated();
    await house.change(backend, { sync_paths: ['bifrost/*'] });
    expect((await house.cycle(backend)).counts).toMatchObject({ held: 0, unchanged: 20 });
    expect(await openHolds()).toEqual([]);
  });

  test('a changed mapping: held, no key has another name, and values go on being synced', async () => {
    const { backend, secrets } = await begin();
    await house.change(backend, { path_mapping: [{ from: 'elsewhere/**', to: 'bifrost/**' }] });
    secrets.put('bifrost/k1', { value: 'new' });
    expect((await house.cycle(backend)).counts).toMatchObject({ held: 20, updated: 1, renamed: 0, deprecated: 0 });
    await expectNoneDeprecated();
    expect(await house.value('bifrost/k1')).toBe('{"value":"new"}');
    expect((await house.events('keys.rotated')).at(-1)?.data.paths).toEqual(['bifrost/k1']);
    await house.change(backend, { path_mapping: [] });
    await house.cycle(backend);
    expect(await openHolds()).toEqual([]);
  });

  test('the wish to remove the backend, until somebody approves it', async () => {
    const { backend } = await begin();
    const request = { tenantId: house.tenantId, backend: backend.id, archiveKeys: true, by: 'ann' };
    const result = await requestRemoval(house.services, request);
    expect(result).toMatchObject({ held: { hold: { kind: 'removal', candidates: 20 } } });
    await house.cycle(backend);
    await expectNoneDeprecated();
    expect(await openHolds()).toHaveLength(1);
  });
});

test('a hold of renames that is approved renames exactly its keys, past each other, and tells of both names', async () => {
  const secrets = house.vault.kv('secret');
  for (const name of ['a', 'b', 'c']) secrets.put(`bifrost/${name}`, { value: name });
  const backend = await house.addBackend();
  await house.cycle(backend);
  // a and b trade their names.
  const swap = [
    { from: 'bifrost/a', to: 'bifrost/b' },
    { from: 'bifrost/b', to: 'bifrost/a' },
  ];
  await house.change(backend, { path_mapping: swap });
  expect((await house.cycle(backend)).counts).toMatchObject({ held: 2 });
  const { cycle } = await approveHeld(house.services, decision((await openHolds())[0]?.id));
  expect((await house.ended(cycle?.id ?? '')).counts).toMatchObject({ renamed: 2, held: 0 });
  expect(await house.value('bifrost/a')).toBe('{"value":"b"}');
  expect(await house.value('bifrost/b')).toBe('{"value":"a"}');
  const [event] = await house.events('keys.renamed');
  expect(event?.data.keys).toEqual(
    expect.arrayContaining([
      { path: 'bifrost/a', renamed_from: 'bifrost/b' },
      { path: 'bifrost/b', renamed_from: 'bifrost/a' },
    ]),
  );
  const again = await house.cycle(backend);
  expect(again.counts).toMatchObject({ unchanged: 3, renamed: 0, held: 0 });
  const [row] = await house.read((tx) => tx.selectFrom('backends').select('names_current').execute());
  expect(row?.names_current).toBe(true);
});

test('a key is not renamed to what another has or two want, nor where a backend’s credentials are looked up', async () => {
  const secrets = house.vault.kv('secret');
  for (let index = 0; index < 20; index++) secrets.put(`bifrost/k${index}`, { value: 'x' });
  secrets.put('bifrost/login', { value: 'x' });
  const backend = await house.addBackend();
  await house.cycle(backend);
  await house.addBackend({ sync_paths: ['none/*'], credential_paths: ['bifrost/login'] });
  await house.change(backend, {
    path_mapping: [
      { from: 'bifrost/k1', to: 'bifrost/k2' },
      { from: 'other', to: 'bifrost/login' },
    ],
  });
  const cycle = await house.cycle(backend);
  expect(cycle.counts).toMatchObject({ renamed: 0, held: 0, unconfirmed: 2 });
  expect((await house.issues(cycle.id)).map(({ code }) => code).sort()).toEqual(['credentials_in_use', 'path_taken']);
  expect(Object.keys(await house.states())).toEqual(
    expect.arrayContaining(['bifrost/k1', 'bifrost/k2', 'bifrost/login']),
  );
});

test('what a person was asked about waits for the answer, also when it would be no mass loss any more', async () => {
  const { backend, secrets } = await begin({ guard_at_least: 5 });
  for (const name of names(1, 4)) secrets.deleteMetadata(`bifrost/${name}`);
  expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 4, held: 0 });
  for (const name of names(5, 7)) secrets.deleteMetadata(`bifrost/${name}`);
  expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 0, held: 3 });
  house.clock.advance(25 * 3600);
  expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 0, held: 3 });
  // What it doesn't list goes as ever, and what comes back leaves it.
  secrets.deleteMetadata('bifrost/k8');
  secrets.put('bifrost/k5', { value: 'k5' });
  expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 1, held: 2 });
  expect(await openHolds()).toMatchObject([{ candidates: 2 }]);
});

describe('a rejected hold', () => {
  async function rejected() {
    const begun = await begin();
    for (const name of names(1, 14)) begun.secrets.deleteMetadata(`bifrost/${name}`);
    await house.cycle(begun.backend);
    const [hold] = await openHolds();
    await rejectHeld(house.services, decision(hold?.id));
    return { ...begun, hold };
  }

  test('keeps exactly its keys, without asking again', async () => {
    const { backend, secrets } = await rejected();
    expect((await house.cycle(backend)).counts).toMatchObject({ kept: 14, held: 0, deprecated: 0 });
    expect(await house.events('deprecation.held')).toHaveLength(1);
    // One that it didn't list goes as ever.
    secrets.deleteMetadata('bifrost/team/k20');
    expect((await house.cycle(backend)).counts).toMatchObject({ kept: 14, deprecated: 1 });
  });

  test('until they are found again: then they may go as ever', async () => {
    const { backend, secrets } = await rejected();
    for (const name of names(1, 14)) secrets.put(`bifrost/${name}`, { value: name });
    await house.cycle(backend);
    secrets.deleteMetadata('bifrost/k1');
    expect((await house.cycle(backend)).counts).toMatchObject({ kept: 0, deprecated: 1 });
  });

  test('can be approved after all; an approved or ended one is over', async () => {
    const { hold } = await rejected();
    const { cycle } = await approveHeld(house.services, decision(hold?.id));
    expect((await house.ended(cycle?.id ?? '')).counts).toMatchObject({ deprecated: 14, kept: 0 });
    await expect(rejectHeld(house.services, decision(hold?.id))).rejects.toMatchObject({ code: 'hold_over' });
    await expect(approveHeld(house.services, decision(hold?.id))).rejects.toMatchObject({ code: 'hold_over' });
  });

  test('of renames leaves the names as they are until the mapping changes again', async () => {
    const { backend } = await begin();
    await house.change(backend, { path_mapping: [{ from: 'elsewhere/**', to: 'bifrost/**' }] });
    await house.cycle(backend);
    await rejectHeld(house.services, decision((await openHolds())[0]?.id));
    expect((await house.cycle(backend)).counts).toMatchObject({ held: 0, renamed: 0, unchanged: 20 });
    await expectNoneDeprecated();
    const [hold] = await house.read((tx) => listHolds(tx, { state: 'rejected', limit: 1 }));
    const { cycle } = await approveHeld(house.services, decision(hold?.id));
    expect((await house.ended(cycle?.id ?? '')).counts).toMatchObject({ held: 0, renamed: 20 });
  });
});

describe('the thresholds of a backend', () => {
  test.each<[string, Partial<BackendSettings>, number, boolean]>([
    ['by default 4 of 20 go', {}, 4, false],
    ['over guard_percent and at least guard_at_least is held', { guard_percent: 10, guard_at_least: 3 }, 3, true],
    ['not over guard_percent goes', { guard_percent: 15, guard_at_least: 3 }, 3, false],
    ['fewer than guard_at_least go', { guard_percent: 10, guard_at_least: 4 }, 3, false],
    ['over half is held whatever they say', { guard_percent: 50, guard_at_least: 1000 }, 11, true],
    ['half is not over half', { guard_percent: 50, guard_at_least: 1000 }, 10, false],
  ])('%s', async (_, settings, count, held) => {
    const { backend, secrets } = await begin(settings);
    for (const name of names(1, count)) secrets.deleteMetadata(`bifrost/${name}`);
    const expected = held ? { held: count, deprecated: 0 } : { held: 0, deprecated: count };
    expect((await house.cycle(backend)).counts).toMatchObject(expected);
  });
});

describe('a preview', () => {
  const preview = (backend: Backend, settings: Partial<BackendSettings>) =>
    previewChange(house.services, { tenantId: house.tenantId, backend: backend.id, settings });

  test('says what would be left out, renamed and held, and changes nothing', async () => {
    const { backend } = await begin();
    expect(await preview(backend, { sync_paths: ['bifrots/*'] })).toMatchObject({
      keys: 20,
      out_of_scope: { count: 20 },
      would_hold: true,
    });
    const mapping = [{ from: 'bifrost/one', to: 'bifrost/k1' }];
    expect(await preview(backend, { path_mapping: mapping })).toMatchObject({
      renamed: { count: 1, paths: ['bifrost/k1'] },
      would_hold: false,
    });
    await house.cycle(backend);
    await expectNoneDeprecated();
  });

  test('counts for the guard what is missing already, once auto_deprecate is on again, and each key once', async () => {
    const { backend, secrets } = await begin({ auto_deprecate: false });
    for (const name of names(1, 10)) secrets.deleteMetadata(`bifrost/${name}`);
    await house.cycle(backend);
    const change = { auto_deprecate: true };
    expect(await preview(backend, change)).toMatchObject({ missing: { count: 10 }, would_hold: true });
    const narrowed = { ...change, exclude_paths: ['bifrost/k1', 'bifrost/k2'], guard_percent: 50 };
    expect(await preview(backend, narrowed)).toMatchObject({
      missing: { count: 10 },
      out_of_scope: { count: 2 },
      would_hold: false,
    });
  });

  test('says of a new name that nothing becomes of keys', async () => {
    const { backend } = await begin();
    expect(await preview(backend, { name: 'other', sync_interval_seconds: 60 })).toMatchObject({
      keys: 20,
      out_of_scope: { count: 0 },
      would_hold: false,
    });
  });

  test('says what a shorter grace, a shorter retention and a rule for rotation would do', async () => {
    const { backend, secrets } = await begin({ grace_period_seconds: 3600 });
    secrets.deleteMetadata('bifrost/k1');
    await house.cycle(backend);
    house.clock.advance(1800);
    expect(await preview(backend, { grace_period_seconds: 600 })).toMatchObject({ archived_at_once: { count: 1 } });
    expect(await preview(backend, { grace_period_seconds: 2400 })).toMatchObject({ archived_sooner: { count: 1 } });
    expect(await preview(backend, { auto_deprecate: false })).toMatchObject({ archived_later: { count: 1 } });
    const rotateOften = [{ paths: ['bifrost/team/*'], rotate_every_seconds: 60 }];
    expect(await preview(backend, { lifecycle_rules: rotateOften })).toMatchObject({ overdue: { count: 6 } });
    await house.cycle(backend);
    house.clock.advance(1800);
    await house.sweep();
    house.clock.advance(2 * 24 * 3600);
    expect(await preview(backend, { retain_archived_seconds: 3600 })).toMatchObject({
      purged_at_once: { count: 1, paths: ['bifrost/k1'] },
    });
    expect((await house.states())['bifrost/k1']).toBe('archived');
  });
});
