import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compileGrants,
  type PathPermission,
  type Policy,
  parseGlob,
  pathPermissions,
  pathProblem,
} from '../src/index.ts';

/** Many policies as one: whatever they are, they grant what each of them grants by itself. */

const now = new Date('2026-05-01T00:00:00Z');
const day = 86_400_000;
const inRange = (address: string, ranges: readonly string[]) => ranges.includes(address);

let made = 0;
const policy = (pathGlob: string, more: Partial<Policy> = {}): Policy => {
  const name = `policy-${++made}`;
  return { id: name, name, pathGlob, permissions: ['read'], ipRanges: [], expiresAt: null, bindings: [], ...more };
};
const grants = (...policies: Policy[]) => compileGrants(policies, inRange);
const may = (policies: Policy[], permission: PathPermission, path: string, address: string | null = null) =>
  grants(...policies).find(permission, path, { address, now })?.name ?? null;

/** Few signs, so that what is made at random meets. */
const sign = fc.constantFrom('a', 'b', 'é', '🔑', '.x');
const name = fc.array(sign, { minLength: 1, maxLength: 4 }).map((signs) => signs.join(''));
const path = fc
  .array(name, { minLength: 1, maxLength: 5 })
  .map((segments) => segments.join('/'))
  .filter((text) => pathProblem(text) === null);
const pattern = fc
  .array(fc.oneof({ weight: 2, arbitrary: sign }, { weight: 1, arbitrary: fc.constantFrom('*', '?') }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((signs) => signs.join('').replaceAll(/\*{2,}/g, '*'));
const glob = fc
  .array(fc.oneof(name, pattern, fc.constantFrom('*', '**', '?')), { minLength: 1, maxLength: 5 })
  .map((segments) => segments.join('/'))
  .filter(isGlob);
const address = fc.constantFrom('10.0.0.1', '10.0.0.2');
const anyPolicy = fc.record({
  pathGlob: glob,
  permissions: fc.uniqueArray(fc.constantFrom(...pathPermissions), { minLength: 1, maxLength: 3 }),
  ipRanges: fc.uniqueArray(address, { maxLength: 2 }),
  expiresAt: fc.option(fc.constantFrom(new Date(now.getTime() - 1), now, new Date(now.getTime() + 1)), { nil: null }),
});

function isGlob(text: string): boolean {
  try {
    return Boolean(parseGlob(text));
  } catch {
    return false;
  }
}

function grantsAlone(
  { pathGlob, permissions, ipRanges, expiresAt }: Policy,
  permission: PathPermission,
  path: string,
  from: string | null,
): boolean {
  return (
    parseGlob(pathGlob).test(path) &&
    (permissions.includes(permission) || permissions.includes('admin')) &&
    (ipRanges.length === 0 || (from !== null && inRange(from, ipRanges))) &&
    (expiresAt === null || expiresAt > now)
  );
}

test('a path is granted something exactly where one of the policies grants it', { timeout: 60_000 }, () => {
  const asked = fc.record({
    policies: fc.array(anyPolicy, { maxLength: 12 }).map((all) => all.map((one) => policy(one.pathGlob, one))),
    paths: fc.array(path, { minLength: 1, maxLength: 8 }),
    permission: fc.constantFrom(...pathPermissions),
    from: fc.option(address, { nil: null }),
  });
  fc.assert(
    fc.property(asked, ({ policies, paths, permission, from }) => {
      const compiled = grants(...policies);
      for (const path of paths) {
        const found = compiled.find(permission, path, { address: from, now });
        const granting = policies.filter((one) => grantsAlone(one, permission, path, from));
        if (granting.length === 0) expect([path, found?.pathGlob ?? null]).toEqual([path, null]);
        else expect(granting, path).toContain(found);
      }
    }),
    { numRuns: process.env.KEYFERRY_TEST_FULL ? 50_000 : 3_000 },
  );
});

test('a glob matches by itself as it does among others', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(glob, path, (source, text) => {
      expect([source, text, may([policy(source)], 'read', text) !== null]).toEqual([
        source,
        text,
        parseGlob(source).test(text),
      ]);
    }),
    { numRuns: process.env.KEYFERRY_TEST_FULL ? 100_000 : 5_000 },
  );
});

test.each([
  ['a*ab', 'ab'],
  ['ab*bc', 'abc'],
  ['a*b', 'ab'],
  ['a*?b', 'a🔑b'],
  ['*?', '🔑'],
  ['a*b*a', 'abba'],
  ['a*b*a', 'aba'],
  ['a?a*', 'aaa'],
  ['x/**', 'x'],
  ['**/x', 'x'],
  ['a/**/a', 'a/a'],
  ['**/**', 'a'],
])('"%s" has the same to do with "%s" as by itself', (source, text) => {
  expect(may([policy(source)], 'read', text) !== null).toBe(parseGlob(source).test(text));
});

test.each(['', '/a', 'a/', 'a//b', '/'])('"%s", which is no local path, is granted nothing', (text) => {
  expect(may([policy('**'), policy('a/**'), policy('*')], 'read', text)).toBeNull();
});

describe('conditions', () => {
  test('a policy without any address is for all, and one with networks for nobody whose address isn’t known', () => {
    const bound = policy('a', { ipRanges: ['10.0.0.1'] });
    expect(may([bound], 'read', 'a', '10.0.0.1')).toBe(bound.name);
    expect(may([bound], 'read', 'a', '10.0.0.2')).toBeNull();
    expect(may([bound], 'read', 'a')).toBeNull();
    expect(may([bound, policy('a')], 'read', 'a')).not.toBeNull();
  });

  test('a policy ends in the moment that it names', () => {
    const until = (ms: number) => policy('a', { expiresAt: new Date(now.getTime() + ms) });
    expect(may([until(0)], 'read', 'a')).toBeNull();
    expect(may([until(1)], 'read', 'a')).not.toBeNull();
    expect(may([until(-day), until(day), until(-1)], 'read', 'a')).not.toBeNull();
  });

  test('whether anything is granted anywhere goes by them too', () => {
    const anywhere = (one: Policy, permission: PathPermission) =>
      grants(one).anywhere(permission, { address: null, now });
    expect(anywhere(policy('a'), 'read')).toBe(true);
    expect(anywhere(policy('a', { permissions: ['admin'] }), 'revoke')).toBe(true);
    expect(anywhere(policy('a'), 'revoke')).toBe(false);
    expect(anywhere(policy('a', { expiresAt: now }), 'read')).toBe(false);
    expect(anywhere(policy('a', { ipRanges: ['10.0.0.1'] }), 'read')).toBe(false);
    expect(grants().anywhere('list', { address: null, now })).toBe(false);
  });
});

test('addresses are compared only for policies that match the path', () => {
  let compared = 0;
  const policies = Array.from({ length: 1_000 }, (_, index) => policy(`team-${index}/**`, { ipRanges: ['10.0.0.1'] }));
  const compiled = compileGrants(policies, (from, ranges) => {
    compared++;
    return ranges.includes(from);
  });
  expect(compiled.find('read', 'team-7/a', { address: '10.0.0.1', now })?.pathGlob).toBe('team-7/**');
  expect(compared).toBe(1);
});

/** No assertion on time: what blows up doesn't end. */
test.each([
  ['stars', '*a*a*a*a*a*a*a*a*a*a*b', 'a'.repeat(1_000)],
  ['folders', '**/a/**/a/**/a/**/b', `${'a/'.repeat(500)}a`],
  ['questions', `${'?'.repeat(500)}*${'?'.repeat(400)}b`, 'a'.repeat(1_000)],
])('many %s on a long path that doesn’t match end', (_what, source, text) => {
  expect(may([policy(source)], 'read', text)).toBeNull();
});
