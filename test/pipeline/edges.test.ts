import type { Backend } from '@keyferry/store';
import { describe, expect, test } from 'vitest';
import { begin, day, deprecatedKey, hour, house, keyOf, later, minute, onlyA, stateOf, told } from './begun-keys.ts';

/** The edges of the lifecycle's table that cycles lead over, both ways, with each setting that affects them. */

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
