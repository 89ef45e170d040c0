import { SecretValue } from '@keyferry/core';
import { expect, test } from 'vitest';
import type { HeldSecret } from '../src/index.ts';
import { createSecretCache } from '../src/secret-cache.ts';

const [tenant, other] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'];
const secret = (path: string, value = 'x') => ({ path, value: SecretValue.fromText(value) }) as HeldSecret;
const outcome = (path: string, value?: string) => ({ secret: secret(path, value) });
const newCache = () => createSecretCache(1_000_000);

test.each([
  ['a change of its path', (cache: ReturnType<typeof newCache>) => cache.drop(tenant, ['a'])],
  ['a flush', (cache: ReturnType<typeof newCache>) => cache.flush(tenant)],
])('what began before %s is not kept when it ends after it, nor joined meanwhile', async (_what, happens) => {
  const cache = newCache();
  const before = cache.begin(tenant, 'a');
  expect(cache.loading(tenant, 'a')).toBe(before.promise);
  happens(cache);
  expect(cache.loading(tenant, 'a')).toBeUndefined();
  const after = cache.begin(tenant, 'a');
  before.end(outcome('a', 'old'), true);
  expect(cache.get(tenant, 'a')).toBeUndefined();
  after.end(outcome('a', 'new'), true);
  expect(cache.get(tenant, 'a')?.value.reveal().toString()).toBe('new');
  // Whoever waited for it since before has it all the same.
  expect(await before.promise).toMatchObject({ secret: { path: 'a' } });
});

test('tenants have nothing in common', () => {
  const cache = newCache();
  for (const id of [tenant, other]) cache.begin(id, 'a').end(outcome('a', id), true);
  expect(cache.get(other, 'a')?.value.reveal().toString()).toBe(other);
  cache.flush(tenant);
  expect([cache.get(tenant, 'a'), cache.held(tenant)]).toEqual([undefined, []]);
  expect(cache.held(other).map(({ path }) => path)).toEqual(['a']);
});

test('a failure is not kept, and takes nothing away', () => {
  const cache = newCache();
  cache.begin(tenant, 'a').end(outcome('a'), true);
  cache.begin(tenant, 'a').end({ error: new Error('away') }, true);
  expect(cache.get(tenant, 'a')?.path).toBe('a');
});
