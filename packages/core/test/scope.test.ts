import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseScope } from '../src/index.ts';

test.each([
  [['bifrost/*'], ['bifrost/']],
  [
    ['bifrost/*', 'bifrost/team/*', 'other/*'],
    ['bifrost/', 'other/'],
  ],
  [['a/*', 'a/*'], ['a/']],
  [
    ['a/*', 'ab/*'],
    ['a/', 'ab/'],
  ],
  [['**', 'a/*'], ['']],
  [['*/prod', 'a/*'], ['']],
  [['a/b/key'], ['a/b/']],
])('%j walks %j', (syncPaths, folders) => {
  expect(parseScope(syncPaths, []).folders).toEqual(folders);
});

test('no folder is walked twice, and every included path is in one that is', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', '*');
  const glob = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const path = fc
    .array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join('/'));
  fc.assert(
    fc.property(fc.array(glob, { minLength: 1, maxLength: 5 }), path, (globs, remote) => {
      const { folders, includes } = parseScope(globs, []);
      const walked = folders.filter((folder) => remote.startsWith(folder));
      expect(walked.length).toBeLessThanOrEqual(1);
      if (includes(remote)) expect(walked).toHaveLength(1);
    }),
  );
});

test('exclude_paths are told apart from what was never wanted', () => {
  const scope = parseScope(['bifrost/*'], ['bifrost/test/*']);
  expect(scope.includes('bifrost/test/a')).toBe(true);
  expect(scope.excludes('bifrost/test/a')).toBe(true);
  // In exclude_paths a star is one segment.
  expect(scope.excludes('bifrost/test/a/b')).toBe(false);
  expect(scope.includes('other/a')).toBe(false);
});

test('a remote name is compared as its local path would be: NFC, without a leading slash', () => {
  const scope = parseScope(['café/*'], []);
  expect(scope.includes('/cafe\u0301/key')).toBe(true);
});

test('sync_paths that overlap have each matched what they include', () => {
  const scope = parseScope(['bifrost/*', 'bifrost/team/*', 'bifrost/*', 'other/*'], []);
  expect(scope.unmatched()).toEqual(['bifrost/*', 'bifrost/team/*', 'bifrost/*', 'other/*']);
  expect(scope.includes('bifrost/team/a')).toBe(true);
  expect(scope.includes('elsewhere/a')).toBe(false);
  expect(scope.includes('bifrost/b')).toBe(true);
  expect(scope.unmatched()).toEqual(['other/*']);
});
