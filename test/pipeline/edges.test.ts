import type { LifecycleRule } from '@keyferry/core';
import type { Backend, BackendSettings } from '@keyferry/store';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

/** Every edge of the lifecycle's table, both ways, with each setting that affects it. */

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

let house: House;
let mounts = 0;
beforeAll(async () => {
  house = await openHouse();
});
afterEach(() => house.clear());
afterAll(() => house.close());

/** A backend on a mount of its own with the secrets a to f, synced once. */
async function begin(settings: Partial<BackendSettings> = {}) {
  const mount = `edges-${++mounts}`;
  const secrets = house.vault.mounts.enable(mount, { type: 'kv', version: 2 });
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) secrets.put(`bifrost/${name}`, { value: `${name}-1` });
  const backend = await house.addBackend({ config: { address: house.vault.url, mount }, ...settings });
  await house.cycle(backend);
  return {
    backend,
    secrets,
    put: (name: string, value: string, customMetadata: Record<string, string> = {}) =>
      secrets.put(`bifrost/${name}`, { value }, { customMetadata }),
    remove: (name: string) => secrets.deleteMetadata(`bifrost/${name}`),
  };
}

async function keyOf(name: string) {
  const rows = await house.read((tx) =>
    tx.selectFrom('keys').selectAll().where('local_path', '=', `bifrost/${name}`).execute(),
  );
  return rows[0];
}

const stateOf = async (name: string) => (await keyOf(name))?.state ?? 'none';

/** Deprecated by a cycle, and missed by another one since. */
async function deprecatedKey(settings: Partial<BackendSettings> = {}) {
  const begun = await begin(settings);
  begun.remove('a');
  await house.cycle(begun.backend);
  await house.cycle(begun.backend);
  expect(await stateOf('a')).toBe('deprecated');
  return begun;
}

async function archivedKey(settings: Partial<BackendSettings> = {}) {
  const begun = await deprecatedKey({ grace_period_seconds: minute, ...settings });
  await later(minute);
  expect(await stateOf('a')).toBe('archived');
  return begun;
}

async function later(seconds: number): Promise<void> {
  house.clock.advance(seconds);
  await house.sweep();
}

const told = async (type: string) => (await house.events(type)).flatMap(({ data }) => data.paths as string[]);
const inSeconds = (seconds: number) => new Date(house.clock.now().getTime() + seconds * 1000).toISOString();
const onlyA = (periods: Omit<LifecycleRule, 'paths'>): LifecycleRule[] => [{ paths: ['bifrost/a'], ...periods }];

describe('none -> active', () => {
  test('a discovered secret is active', async () => {
    await begin();
    expect(await stateOf('a')).toBe('active');
  });

  test('one whose value a rule refuses has no key, is told of once, and comes to be when it is mended', async () => {
    const rules = [{ paths: ['bifrost/x'], pattern: 'good-.*', severity: 'reject' as const }];
    const { backend, put } = await begin({ validation_rules: rules });
    put('x', 'bad');
    const cycle = await house.cycle(backend);
    expect(cycle).toMatchObject({ state: 'completed', issues: 1, counts: { invalid: 1 } });
    await house.cycle(backend);
    expect(await stateOf('x')).toBe('none');
    expect(await told('keys.invalid')).toEqual(['bifrost/x']);
    put('x', 'good-1');
    await house.cycle(backend);
    expect(await stateOf('x')).toBe('active');
    expect(await house.read((tx) => tx.selectFrom('findings').selectAll().execute())).toEqual([]);
  });

  test('one whose value a rule only warns of is active, and the warning is kept with it', async () => {
    const rules = [{ paths: ['bifrost/x'], min_length: 20, severity: 'warn' as const }];
    const { backend, put } = await begin({ validation_rules: rules });
    put('x', 'short');
    expect(await house.cycle(backend)).toMatchObject({ issues: 0, counts: { added: 1, warned: 1 } });
    expect(await stateOf('x')).toBe('active');
    const findings = await house.read((tx) => tx.selectFrom('findings').selectAll().execute());
    expect(findings).toMatchObject([{ rejected: false, problems: [{ code: 'value_too_short' }] }]);
  });
});

describe('active -> active', () => {
  test('a new value is served at once, as the next version, and told of by both numbers', async () => {
    const { backend, put } = await begin();
    put('a', 'a-2');
    await house.cycle(backend);
    expect(await house.value('bifrost/a')).toBe('{"value":"a-2"}');
    const [event] = await house.events('keys.rotated');
    expect(event?.data.keys).toEqual([{ path: 'bifrost/a', from_version: 1, to_version: 2 }]);
  });

  test('a new value that a rule refuses never takes the place of a good one', async () => {
    const rules = [{ paths: ['bifrost/*'], pattern: '[a-f]-[0-9]', severity: 'reject' as const }];
    const { backend, put } = await begin({ validation_rules: rules });
    put('a', 'broken');
    await house.cycle(backend);
    expect(await house.value('bifrost/a')).toBe('{"value":"a-1"}');
    const [event] = await house.events('keys.invalid');
    expect(event?.data.keys).toMatchObject([{ path: 'bifrost/a', code: 'value_pattern', served_version: 1 }]);
    put('a', 'a-2');
    await house.cycle(backend);
    expect(await house.value('bifrost/a')).toBe('{"value":"a-2"}');
  });

  test.each([
    ['not at all by default', {}, null],
    ['for rotation_overlap', { rotation_overlap_seconds: 600 }, 600],
    [
      'for what a rule says of its path',
      { rotation_overlap_seconds: 600, lifecycle_rules: onlyA({ rotation_overlap_seconds: 60 }) },
      60,
    ],
  ])('the version before stays readable %s', async (_, settings, seconds) => {
    const { backend, put } = await begin(settings);
    put('a', 'a-2');
    await house.cycle(backend);
    const versions = await house.read((tx) =>
      tx
        .selectFrom('key_versions')
        .selectAll()
        .where('version', '=', 1)
        .where('readable_until', 'is not', null)
        .execute(),
    );
    const until = seconds === null ? [] : [house.clock.now().getTime() + seconds * 1000];
    expect(versions.map(({ readable_until }) => readable_until?.getTime())).toEqual(until);
  });

  test('a value older than rotate_every of its path is told of once, and again only after it was rotated', async () => {
    const { backend, put } = await begin({ lifecycle_rules: onlyA({ rotate_every_seconds: day }) });
    await later(day - minute);
    expect(await told('keys.rotation_overdue')).toEqual([]);
    await later(minute);
    await later(minute);
    expect(await told('keys.rotation_overdue')).toEqual(['bifrost/a']);
    put('a', 'a-2');
    await house.cycle(backend);
    await later(minute);
    expect(await told('keys.rotation_overdue')).toEqual(['bifrost/a']);
    await later(day);
    expect(await told('keys.rotation_overdue')).toEqual(['bifrost/a', 'bifrost/a']);
  });

  test('a rotate_every that is set later counts from when the value was made', async () => {
    const { backend } = await begin();
    house.clock.advance(2 * day);
    await house.change(backend, { lifecycle_rules: [{ paths: ['bifrost/*'], rotate_every_seconds: day }] });
    await house.sweep();
    expect(await told('keys.rotation_overdue')).toHaveLength(6);
  });
});

describe('active -> deprecated', () => {
  test('a key whose absence was proven is deprecated, with a backup', async () => {
    await deprecatedKey();
    const backups = await house.read((tx) => tx.selectFrom('backups').selectAll().execute());
    expect(backups).toMatchObject([{ local_path: 'bifrost/a', version: 1, reason: 'deprecated' }]);
    expect(await keyOf('a')).toMatchObject({ deprecated_for: 'absent', archive_at: expect.any(Date) });
  });

  test('without a backup, where the backend wants none', async () => {
    await deprecatedKey({ backup_deprecated_keys: false });
    expect(await house.read((tx) => tx.selectFrom('backups').selectAll().execute())).toEqual([]);
  });

  test('with auto_deprecate off it is missing, told of once, and served for ever', async () => {
    const { backend, remove } = await begin({ auto_deprecate: false });
    for (const name of ['a', 'b', 'c', 'd']) remove(name);
    expect((await house.cycle(backend)).counts).toMatchObject({ missing: 4, deprecated: 0, held: 0 });
    await house.cycle(backend);
    await later(400 * day);
    expect((await house.cycle(backend)).counts).toMatchObject({ missing: 4 });
    expect(await stateOf('a')).toBe('active');
    expect((await told('keys.missing')).sort()).toEqual(['bifrost/a', 'bifrost/b', 'bifrost/c', 'bifrost/d']);
  });

  test('auto_deprecate on again deprecates what is missing, and what has come back is missing no more', async () => {
    const { backend, put, remove } = await begin({ auto_deprecate: false });
    remove('a');
    remove('b');
    await house.cycle(backend);
    put('b', 'b-1');
    await house.cycle(backend);
    expect(await keyOf('b')).toMatchObject({ state: 'active', missing_since: null });
    await house.change(backend, { auto_deprecate: true });
    await house.cycle(backend);
    expect([await stateOf('a'), await stateOf('b')]).toEqual(['deprecated', 'active']);
  });

  test('a key that narrowed sync_paths leave out is deprecated without asking the vault, and comes back with them', async () => {
    const { backend } = await begin();
    await house.change(backend, { sync_paths: ['bifrost/b', 'bifrost/c', 'bifrost/d', 'bifrost/e', 'bifrost/f'] });
    const cycle = await house.cycle(backend);
    expect(cycle.counts).toMatchObject({ deprecated: 1, out_of_scope: 1 });
    expect(cycle.calls).not.toHaveProperty('confirm');
    expect(await keyOf('a')).toMatchObject({ state: 'deprecated', deprecated_for: 'out_of_scope' });
    await house.change(backend, { sync_paths: ['bifrost/*'] });
    await house.cycle(backend);
    expect(await keyOf('a')).toMatchObject({ state: 'active', deprecated_for: null });
  });

  test('so is one that exclude_paths take out', async () => {
    const { backend } = await begin();
    await house.change(backend, { exclude_paths: ['bifrost/a'] });
    await house.cycle(backend);
    expect(await keyOf('a')).toMatchObject({ state: 'deprecated', deprecated_for: 'out_of_scope' });
  });

  test('nothing is left out while auto_deprecate is off', async () => {
    const { backend } = await begin({ auto_deprecate: false });
    await house.change(backend, { exclude_paths: ['bifrost/a'] });
    expect((await house.cycle(backend)).counts).toMatchObject({ missing: 1, deprecated: 0 });
    expect(await stateOf('a')).toBe('active');
  });
});

describe('deprecated -> active', () => {
  test('a key that is found again is active, and nothing is due for it', async () => {
    const { backend, put } = await deprecatedKey();
    put('a', 'a-1');
    await house.cycle(backend);
    const none = { archive_at: null, archive_reminder_at: null, deprecated_at: null, deprecated_for: null };
    expect(await keyOf('a')).toMatchObject({ state: 'active', ...none });
    expect(await told('keys.restored')).toEqual(['bifrost/a']);
  });

  test('not by a value that a rule refuses; and then its grace does not end', async () => {
    const rules = [{ paths: ['bifrost/*'], pattern: '[a-f]-[0-9]', severity: 'reject' as const }];
    const { backend, put } = await deprecatedKey({ validation_rules: rules, grace_period_seconds: hour });
    put('a', 'broken');
    house.clock.advance(2 * hour);
    await house.cycle(backend);
    await later(0);
    expect(await stateOf('a')).toBe('deprecated');
    expect(await house.value('bifrost/a')).toBe('{"value":"a-1"}');
  });
});

describe('deprecated -> archived', () => {
  test.each<[string, Partial<BackendSettings>, number]>([
    ['grace_period', { grace_period_seconds: hour }, hour],
    ['grace_period of a rule for its path', { lifecycle_rules: onlyA({ grace_period_seconds: 2 * hour }) }, 2 * hour],
  ])('when the %s is over, and not before', async (_, settings, seconds) => {
    await deprecatedKey(settings);
    // One second of the grace has passed with the second cycle.
    await later(seconds - 2);
    expect(await stateOf('a')).toBe('deprecated');
    await later(1);
    expect(await stateOf('a')).toBe('archived');
    expect(await told('keys.archived')).toEqual(['bifrost/a']);
  });

  test('a rule for other paths says nothing', async () => {
    await deprecatedKey({ lifecycle_rules: [{ paths: ['bifrost/b'], grace_period_seconds: minute }] });
    await later(hour);
    expect(await stateOf('a')).toBe('deprecated');
  });

  test('a shorter grace applies to keys on their way, and a longer one as well', async () => {
    const { backend } = await deprecatedKey();
    await later(2 * hour);
    await house.change(backend, { grace_period_seconds: 3 * hour });
    await later(hour - minute);
    expect(await stateOf('a')).toBe('deprecated');
    await house.change(backend, { grace_period_seconds: 6 * hour });
    await later(2 * hour);
    expect(await stateOf('a')).toBe('deprecated');
    await house.change(backend, { lifecycle_rules: onlyA({ grace_period_seconds: hour }) });
    await house.sweep();
    expect(await stateOf('a')).toBe('archived');
  });

  test('never while auto_deprecate is off, whose change applies to keys on their way', async () => {
    const { backend } = await deprecatedKey();
    await house.change(backend, { auto_deprecate: false });
    await later(10 * day);
    expect(await stateOf('a')).toBe('deprecated');
    await house.change(backend, { auto_deprecate: true });
    await later(0);
    expect(await stateOf('a')).toBe('archived');
  });

  test('a change of settings that no sweep has seen yet archives nothing by the former ones', async () => {
    const { backend } = await deprecatedKey({ grace_period_seconds: hour });
    house.clock.advance(2 * hour);
    await house.change(backend, { grace_period_seconds: 10 * hour });
    await house.sweep();
    expect(await stateOf('a')).toBe('deprecated');
  });

  test('people are told 7 days, a day and an hour before, of these what fits, and each time once', async () => {
    await deprecatedKey({ grace_period_seconds: 10 * day });
    const seen: number[] = [];
    for (let hours = 0; hours < 10 * 24; hours++) {
      await later(hour);
      if ((await told('keys.archiving_soon')).length > seen.length) seen.push(hours + 1);
    }
    expect(seen).toEqual([3 * 24, 9 * 24, 10 * 24 - 1]);
    expect((await house.events('keys.archiving_soon'))[0]?.data.keys).toMatchObject([{ path: 'bifrost/a' }]);
  });

  test('archive_reminders says when; a day before a grace of a day is no reminder', async () => {
    await deprecatedKey({ archive_reminders: [day, 2 * hour] });
    for (let hours = 0; hours < 24; hours++) await later(hour);
    expect(await told('keys.archiving_soon')).toEqual(['bifrost/a']);
  });

  test('after a stop over several reminders people are told once', async () => {
    await deprecatedKey({ grace_period_seconds: 10 * day });
    await later(9.5 * day);
    await later(minute);
    expect(await told('keys.archiving_soon')).toEqual(['bifrost/a']);
  });
});

describe('archived', () => {
  test('found again it is active', async () => {
    const { backend, put } = await archivedKey();
    put('a', 'a-2');
    await house.cycle(backend);
    expect(await keyOf('a')).toMatchObject({ state: 'active', purge_at: null, version: 2 });
  });

  test.each<[string, Partial<BackendSettings>]>([
    ['retain_archived', { retain_archived_seconds: 10 * day }],
    ['retain_archived of a rule for its path', { lifecycle_rules: onlyA({ retain_archived_seconds: 10 * day }) }],
  ])(
    'it is purged when %s is over, and not before: values, backups and findings, and the story stays',
    async (_, settings) => {
      await archivedKey(settings);
      const id = (await keyOf('a'))?.id ?? '';
      await later(10 * day - 1);
      expect(await stateOf('a')).toBe('archived');
      await later(1);
      expect(await stateOf('a')).toBe('none');
      expect(await told('keys.purged')).toEqual(['bifrost/a']);
      const rest = await house.read(async (tx) => ({
        versions: await tx.selectFrom('key_versions').select('version').where('key_id', '=', id).execute(),
        backups: await tx.selectFrom('backups').select('id').where('key_id', '=', id).execute(),
        story: await tx.selectFrom('key_changes').select('change').where('key_id', '=', id).orderBy('id').execute(),
      }));
      expect(rest).toEqual({
        versions: [],
        backups: [],
        story: ['deprecated', 'archived', 'purged'].map((change) => ({ change })),
      });
    },
  );

  test('a changed retention applies to keys that are archived already', async () => {
    const { backend } = await archivedKey();
    await later(5 * day);
    await house.change(backend, { retain_archived_seconds: 6 * day });
    await later(0);
    expect(await stateOf('a')).toBe('archived');
    await later(day);
    expect(await stateOf('a')).toBe('none');
  });

  test('not within a day of its deprecation, for the guard counts it until then', async () => {
    await archivedKey({ retain_archived_seconds: minute });
    await later(hour);
    expect(await stateOf('a')).toBe('archived');
    await later(day);
    expect(await stateOf('a')).toBe('none');
  });
});

describe('expiry', () => {
  test('an active key whose expiry has passed is expired, and one that is deprecated as well', async () => {
    const { backend, put, remove } = await begin();
    put('a', 'a-2', { expires_at: inSeconds(hour) });
    put('b', 'b-2', { expires_at: inSeconds(hour) });
    await house.cycle(backend);
    remove('b');
    await house.cycle(backend);
    expect(await stateOf('b')).toBe('deprecated');
    await later(hour);
    expect([await stateOf('a'), await stateOf('b')]).toEqual(['expired', 'expired']);
    expect((await told('keys.expired')).sort()).toEqual(['bifrost/a', 'bifrost/b']);
  });

  test('people are told 30 days, 7 days and a day before', async () => {
    const { backend, put } = await begin();
    put('a', 'a-2', { expires_at: inSeconds(40 * day) });
    await house.cycle(backend);
    const seen: number[] = [];
    for (let days = 1; days <= 40; days++) {
      await later(day);
      if ((await told('keys.expiring_soon')).length > seen.length) seen.push(days);
    }
    expect(seen).toEqual([10, 33, 39]);
  });

  test('a new version of an expired key brings it back, a refused one does not', async () => {
    const rules = [{ paths: ['bifrost/*'], pattern: '[a-f]-[0-9]', severity: 'reject' as const }];
    const { backend, put } = await begin({ validation_rules: rules });
    put('a', 'a-2', { expires_at: inSeconds(hour) });
    await house.cycle(backend);
    await later(hour);
    put('a', 'broken', {});
    await house.cycle(backend);
    expect(await stateOf('a')).toBe('expired');
    put('a', 'a-3', {});
    await house.cycle(backend);
    expect(await keyOf('a')).toMatchObject({ state: 'active', purge_at: null });
  });

  test('an expired key is purged after its retention', async () => {
    const { backend, put } = await begin({ retain_archived_seconds: 3 * day });
    put('a', 'a-2', { expires_at: inSeconds(hour) });
    await house.cycle(backend);
    await later(hour);
    await later(3 * day - 1);
    expect(await stateOf('a')).toBe('expired');
    await later(1);
    expect(await stateOf('a')).toBe('none');
  });
});

test('a key’s story tells what happened and which cycle did it', async () => {
  const { backend, put, remove } = await begin({ grace_period_seconds: minute });
  put('a', 'a-2');
  const rotated: Backend['id'] = (await house.cycle(backend)).id;
  remove('a');
  const removed = (await house.cycle(backend)).id;
  await house.cycle(backend);
  await later(minute);
  const id = (await keyOf('a'))?.id ?? '';
  const story = await house.read((tx) =>
    tx
      .selectFrom('key_changes')
      .select(['change', 'from_state', 'to_state', 'version', 'cycle_id'])
      .where('key_id', '=', id)
      .orderBy('id')
      .execute(),
  );
  expect(story).toEqual([
    { change: 'rotated', from_state: 'active', to_state: 'active', version: 2, cycle_id: rotated },
    { change: 'deprecated', from_state: 'active', to_state: 'deprecated', version: 2, cycle_id: removed },
    { change: 'archived', from_state: 'deprecated', to_state: 'archived', version: 2, cycle_id: null },
  ]);
});
