import { expect, test } from 'vitest';
import { hashicorp } from '../src/hashicorp/index.ts';

const within = (config: { mount?: string; kv_version?: 1 | 2 }, pattern: string) => {
  const settings = { address: 'https://vault.example.com:8200', mount: 'secret', allow_http: false, ...config };
  return hashicorp.withinContainer?.(settings, pattern);
};

test.each([
  ['secret/data/**', '**'],
  ['secret/data/app/*', 'app/*'],
  ['secret/metadata/app/db', 'app/db'],
  // Taken off once: what a secret inside is called begins after it.
  ['secret/data/secret/data/x', 'secret/data/x'],
  ['app/**', 'app/**'],
  ['data/app/**', 'data/app/**'],
  ['secrets/data/app', 'secrets/data/app'],
  // A folder of this name: KV 2 has nothing at the root of its mount.
  ['secret/app/**', 'secret/app/**'],
  ['secret/**', 'secret/**'],
  ['secret/data', 'secret/data'],
  ['secret/data/', 'secret/data/'],
])('of KV 2, and where the version is not known, %s means %s', (pattern, inside) => {
  expect(within({}, pattern)).toBe(inside);
  expect(within({ kv_version: 2 }, pattern)).toBe(inside);
});

test.each([
  ['secret/**', '**'],
  ['secret/app/*', 'app/*'],
  // A folder `data`, since version 1 has no such part of its interface.
  ['secret/data/app', 'data/app'],
  ['app/**', 'app/**'],
])('of KV 1 %s means %s', (pattern, inside) => {
  expect(within({ kv_version: 1 }, pattern)).toBe(inside);
});

test('a mount may have slashes', () => {
  expect(within({ mount: 'team/kv' }, 'team/kv/data/app/**')).toBe('app/**');
  expect(within({ mount: 'team/kv' }, 'kv/data/app/**')).toBe('kv/data/app/**');
});
