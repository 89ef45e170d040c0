import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fillGlob, type Glob, parseGlob, parseSyncPath } from '../src/index.ts';

test.each([
  // glob, what it matches, what it doesn't
  ['bifrost/openai', ['bifrost/openai'], ['bifrost/openai2', 'x/bifrost/openai', 'bifrost/openai/x', 'Bifrost/openai']],
  ['bifrost/*', ['bifrost/a', 'bifrost/a b'], ['bifrost/', 'bifrost/a/b', 'bifrost']],
  ['bifrost/**', ['bifrost/a', 'bifrost/a/b/c'], ['bifrost/', 'bifrost']],
  ['*/key', ['a/key'], ['key', 'a/b/key', '/key']],
  ['**/key', ['a/key', 'a/b/key'], ['key']],
  ['a/**/z', ['a/b/z', 'a/b/c/z'], ['a/z', 'a/b/c']],
  ['team-*/prod', ['team-x/prod'], ['team-/prod', 'team-x/y/prod']],
  ['v?', ['v1', 'vé', 'v🔑'], ['v', 'v12', 'v/']],
  ['a.b+c(d)', ['a.b+c(d)'], ['aXb+c(d)', 'a.bbc(d)']],
  ['$^|', ['$^|'], ['']],
  ['line/*', ['line/a\nb'], []],
])('%s', (source, matching, others) => {
  const glob = parseGlob(source);
  for (const path of matching) expect([path, glob.test(path)]).toEqual([path, true]);
  for (const path of others) expect([path, glob.test(path)]).toEqual([path, false]);
});

test.each([
  '',
  '/a',
  'a//b',
  'a[b]',
  'a{b,c}',
  'a\\*',
  'a***',
  'a**',
  '**a/b',
  './a',
  'a/..',
  'x'.repeat(1025),
  '**/a/**/b/**/c/**/d/**',
])('the glob "%s" is refused', (source) => {
  expect(() => parseGlob(source)).toThrow(expect.objectContaining({ code: 'glob_invalid' }));
});

test('in sync_paths a trailing /* means everything below, at any depth, and a star elsewhere one segment', () => {
  expect(parseSyncPath('bifrost/*').test('bifrost/a/b/c')).toBe(true);
  expect(parseSyncPath('bifrost/*').test('bifrost/a')).toBe(true);
  expect(parseSyncPath('*/prod').test('a/b/prod')).toBe(false);
  expect(parseSyncPath('bifrost/**').test('bifrost/a/b')).toBe(true);
});

test.each([
  ['bifrost/*', 'bifrost/'],
  ['a/b/c', 'a/b/'],
  ['a/b-*', 'a/'],
  ['a/b?/c', 'a/'],
  ['**', ''],
  ['*', ''],
  ['key', ''],
])('a listing for %s can start at "%s"', (source, folder) => {
  expect(parseGlob(source).folder).toBe(folder);
});

const word = fc.string({
  unit: fc.constantFrom('a', 'b', '.', '-', ' ', 'é', '%', '$', '(', '+'),
  minLength: 1,
  maxLength: 4,
});
const literal = fc.array(word, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));

test('a path without wildcards matches itself and no other path', () => {
  const plain = literal.filter((path) => path.split('/').every((segment) => segment !== '.' && segment !== '..'));
  fc.assert(
    fc.property(plain, plain, (path, other) => {
      expect(parseGlob(path).test(path)).toBe(true);
      expect(parseGlob(path).test(other)).toBe(path === other);
    }),
  );
});

test('what wildcards captured, put back in their places, is the path', () => {
  const part = fc.constantFrom('*', '**', '?', 'a', 'b-*', 'x?y');
  const glob = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  fc.assert(
    fc.property(glob, literal, (source, path) => {
      const captures = parseGlob(source).capture(path);
      if (captures) expect(fillGlob(source, captures)).toBe(path);
      expect(captures !== null).toBe(parseGlob(source).test(path));
    }),
  );
});

test('a path starts with the folder of every glob that matches it', () => {
  const glob = fc
    .array(fc.constantFrom('*', '**', 'a', 'b', 'a*'), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/'));
  fc.assert(
    fc.property(glob, literal, (source, path) => {
      const parsed = parseGlob(source);
      if (parsed.test(path)) expect(path.startsWith(parsed.folder)).toBe(true);
    }),
  );
});

test('a hostile path is matched in no time worth noticing', () => {
  expect(parseGlob('**/a/**/a/**/a/**/b').test('a/'.repeat(500))).toBe(false);
});

test.each([
  ['*a*a*a*a*a*a*b', 'a'.repeat(900)],
  ['*/*?*?*?*?*?*?*z', `x/${'a'.repeat(900)}`],
  ['**/a*/**/a*/**/a*b', 'a/'.repeat(400)],
])(
  '%s is found not to match a hostile path in as many steps as it has signs and the path characters',
  (source, path) => {
    const glob = parseGlob(source);
    expect(glob.test(path)).toBe(false);
    expect(glob.test(`${path}b`)).toBe(source === '*a*a*a*a*a*a*b');
  },
);

test('globs with many stars match and capture as those with few do', () => {
  const part = fc.constantFrom('a', 'b', '/', '*', '?', '**', 'é', '🔑');
  const globs = fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''));
  const paths = fc.array(fc.constantFrom('a', 'b', '/', 'é', '🔑'), { maxLength: 10 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(globs, paths, (source, path) => {
      let glob: Glob;
      try {
        glob = parseGlob(source);
      } catch {
        return;
      }
      const pattern = source
        .replace(/\*\*|[*?]/g, (sign) => (sign === '**' ? '(.+)' : sign === '*' ? '([^/]+)' : '([^/])'))
        .replace(/^|$/g, (_, offset) => (offset === 0 ? '^' : '$'));
      expect(glob.capture(path)).toEqual(new RegExp(pattern, 'su').exec(path)?.slice(1) ?? null);
    }),
    { numRuns: 2_000 },
  );
});
