import type { BackendSettings } from '@keyferry/store';
import { describe, expect, test } from 'vitest';
import {
  archivedKey,
  begin,
  day,
  deprecatedKey,
  hour,
  house,
  inSeconds,
  keyOf,
  later,
  minute,
  onlyA,
  stateOf,
  told,
} from './begun-keys.ts';

/** What time does to keys: the end of grace and retention, expiry, reminders, with each setting that affects them. */

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
