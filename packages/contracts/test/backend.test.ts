import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { backendInput, backendPatch, refusalOf } from '../src/index.ts';

const kinds = [
  {
    kind: 'box',
    label: 'A box',
    configSchema: z.strictObject({ address: z.string(), auth: z.strictObject({ token: z.string() }) }),
  },
  { kind: 'chest', label: 'A chest', configSchema: z.strictObject({ region: z.string() }) },
];
const input = backendInput(kinds);
const least = { name: 'main', kind: 'box', config: { address: 'x', auth: { token: 'hidden-canary' } } };

function refused(schema: z.ZodType, value: unknown) {
  const result = schema.safeParse(value);
  if (result.success) throw new Error('It was accepted.');
  const { code, message, details } = refusalOf(result.error.issues, 'config_invalid');
  return { code, message, field: details?.field };
}

test('a backend needs a name, a kind and its settings; everything else has a default', () => {
  expect(input.parse(least)).toEqual({
    ...least,
    prefix: 'bifrost',
    sync_paths: ['bifrost/*'],
    exclude_paths: [],
    path_mapping: [],
    mode: 'sync',
    access_mode: 'read_only',
    writes: 'disabled',
    conflict_policy: 'backend_wins',
    required: false,
    cache_ttl: '0s',
    max_stale: '1h',
    cache_rules: [],
    sync_interval: '300s',
    auto_deprecate: true,
    backup_deprecated_keys: true,
    grace_period: '24h',
    retain_archived: '90d',
    rotation_overlap: '0s',
    lifecycle_rules: [],
    archive_reminders: ['7d', '1d', '1h'],
    expiry_reminders: ['30d', '7d', '1d'],
    validation_rules: [],
    guard_percent: 20,
    guard_at_least: 10,
    max_versions: 10,
    version_history: false,
    state: 'active',
  });
});

test('sync_paths are everything below the prefix, unless they are given', () => {
  expect(input.parse({ ...least, prefix: 'team/keys' }).sync_paths).toEqual(['team/keys/*']);
  expect(input.parse({ ...least, prefix: 'team', sync_paths: ['a/?'] }).sync_paths).toEqual(['a/?']);
});

test('where only path_mapping is given, what it names is what is carried', () => {
  const path_mapping = [{ from: 'external/**', to: 'app/**' }];
  expect(input.parse({ ...least, path_mapping }).sync_paths).toEqual(['app/**']);
  expect(input.parse({ ...least, prefix: 'team', path_mapping }).sync_paths).toEqual(['team/*']);
});

test('path_mapping is an array of rules, or an object of them in its order', () => {
  const given = { 'a/**': 'b/**', 'c/*': 'd/*' };
  const rules = [
    { from: 'a/**', to: 'b/**' },
    { from: 'c/*', to: 'd/*' },
  ];
  expect(input.parse({ ...least, path_mapping: given }).path_mapping).toEqual(rules);
  expect(input.parse({ ...least, path_mapping: rules }).path_mapping).toEqual(rules);
});

test('write_through may be said by true', () => {
  expect(input.parse({ ...least, writes: true }).writes).toBe('write_through');
});

describe('bad input is refused with its code and its field', () => {
  test.each([
    [{ sync_interval: '5 minutes' }, 'duration_invalid', 'sync_interval'],
    [{ sync_interval: '0s' }, 'duration_invalid', 'sync_interval'],
    [{ sync_interval: 300 }, 'config_invalid', 'sync_interval'],
    [{ sync_interval: '4s' }, 'config_invalid', 'sync_interval'],
    [{ sync_interval: '8d' }, 'config_invalid', 'sync_interval'],
    [{ grace_period: '999999999d' }, 'config_invalid', 'grace_period'],
    [{ retain_archived: 'forever' }, 'duration_invalid', 'retain_archived'],
    [{ grace_period: '-1h' }, 'duration_invalid', 'grace_period'],
    [{ rotation_overlap: '-1h' }, 'duration_invalid', 'rotation_overlap'],
    [{ archive_reminders: ['1d', '24h'] }, 'config_invalid', 'archive_reminders'],
    [{ expiry_reminders: ['soon'] }, 'duration_invalid', 'expiry_reminders[0]'],
    [{ guard_percent: 51 }, 'config_invalid', 'guard_percent'],
    [{ guard_percent: 0 }, 'config_invalid', 'guard_percent'],
    [{ guard_at_least: 1 }, 'config_invalid', 'guard_at_least'],
    [{ lifecycle_rules: [{ paths: ['a/*'] }] }, 'config_invalid', 'lifecycle_rules[0]'],
    [{ lifecycle_rules: [{ paths: [], grace_period: '1h' }] }, 'config_invalid', 'lifecycle_rules[0].paths'],
    [{ lifecycle_rules: [{ paths: ['{a}'], grace_period: '1h' }] }, 'glob_invalid', 'lifecycle_rules[0].paths[0]'],
    [
      { lifecycle_rules: [{ paths: ['a'], grace_period: '-1h' }] },
      'duration_invalid',
      'lifecycle_rules[0].grace_period',
    ],
    [{ sync_paths: ['a/*', 'a/{b,c}'] }, 'glob_invalid', 'sync_paths[1]'],
    [{ sync_paths: [] }, 'config_invalid', 'sync_paths'],
    [{ exclude_paths: ['/a'] }, 'glob_invalid', 'exclude_paths[0]'],
    [{ path_mapping: [{ from: 'a/*', to: 'b/**' }] }, 'mapping_not_invertible', 'path_mapping[0]'],
    [{ path_mapping: [{ from: 'a//b', to: 'b' }] }, 'glob_invalid', 'path_mapping[0]'],
    [{ path_mapping: [{ from: 'a' }] }, 'config_invalid', 'path_mapping[0].to'],
    [{ prefix: 'a/../b' }, 'config_invalid', 'prefix'],
    [{ prefix: 'a/*' }, 'config_invalid', 'prefix'],
    [{ name: '' }, 'config_invalid', 'name'],
    [{ name: 'a b' }, 'config_invalid', 'name'],
    [{ name: '00000000-0000-4000-8000-000000000001' }, 'config_invalid', 'name'],
    [{ name: undefined }, 'config_invalid', 'name'],
    [{ kind: 'cupboard' }, 'backend_kind_unknown', 'kind'],
    [{ kind: undefined }, 'backend_kind_unknown', 'kind'],
    [{ config: 'address' }, 'config_invalid', 'config'],
    [{ config: undefined }, 'config_invalid', 'config'],
    [{ mode: 'copy' }, 'config_invalid', 'mode'],
    [{ writes: 'remote' }, 'config_invalid', 'writes'],
    [{ cache_ttl: '5 minutes' }, 'duration_invalid', 'cache_ttl'],
    [{ state: 'removed' }, 'config_invalid', 'state'],
  ])('%j: %s at "%s"', (change, code, field) => {
    expect(refused(input, { ...least, ...change })).toMatchObject({ code, field });
  });

  test.each([[null], [[]], ['text'], [7]])('%j is no backend', (value) => {
    expect(refused(input, value).code).toBe('config_invalid');
  });
});

test('a refusal is one sentence: the field, what is wrong, and how much else', () => {
  expect(refused(input, { ...least, sync_interval: '5 minutes' }).message).toBe(
    'sync_interval: "5 minutes" is not a duration.',
  );
  expect(refused(input, { ...least, name: '', sync_interval: '0s' }).message).toMatch(/^name: .*\. \(and 1 more\)$/);
  expect(refused(input, { ...least, kind: 'cupboard' }).message).toBe('kind: must be one of the kinds box, chest.');
});

test('a refusal never holds what was given as credentials', () => {
  const result = input.safeParse({ ...least, name: '', config: [least.config] });
  expect(JSON.stringify(refusalOf(result.error?.issues ?? [], 'config_invalid'))).not.toContain('canary');
});

describe('a change of a backend', () => {
  test('brings no defaults along', () => {
    expect(backendPatch.parse({ sync_interval: '15m' })).toEqual({ sync_interval: '15m' });
  });

  test.each([
    [{}, 'config_invalid'],
    [{ kind: 'box' }, 'config_invalid'],
    [{ sync_interval: '0s' }, 'duration_invalid'],
    [{ config: [] }, 'config_invalid'],
    [{ sync_paths: ['***'] }, 'glob_invalid'],
  ])('%j is refused as %s', (patch, code) => {
    expect(refused(backendPatch, patch).code).toBe(code);
  });
});
