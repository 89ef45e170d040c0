import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FederationSettings, parseFederation } from '../src/index.ts';

const federation = (settings: Partial<FederationSettings>) =>
  parseFederation({ mode: 'sync', sync_paths: ['**'], exclude_paths: [], path_mapping: [], ...settings });

const proxied = { from: 'external/**', to: 'app/**', mode: 'proxy' } as const;
const carried = { from: 'external/**', to: 'app/**', mode: 'sync' } as const;

test.each<[string, Partial<FederationSettings>, string[]]>([
  ['all in mode sync', { sync_paths: ['app/*'] }, ['app/']],
  ['all in mode proxy', { mode: 'proxy', sync_paths: ['app/*'] }, []],
  ['a rule that proxies all there is', { sync_paths: ['app/*'], path_mapping: [proxied] }, []],
  [
    'a rule that proxies all but what is beside it',
    { sync_paths: ['app/*', 'team/*'], path_mapping: [proxied] },
    ['team/'],
  ],
  ['a rule that proxies a part', { sync_paths: ['**'], path_mapping: [proxied] }, ['']],
  ['one subtree in mode sync', { mode: 'proxy', path_mapping: [carried, { from: 'x/**', to: '**' }] }, ['app/']],
  [
    'a subtree of what is proxied, whose rule comes first',
    {
      path_mapping: [
        { from: 'hot/**', to: 'app/hot/**' },
        { from: 'rest/**', to: '**', mode: 'proxy' },
      ],
    },
    [''],
  ],
  [
    'a subtree of what is proxied, whose rule comes too late',
    { sync_paths: ['app/*'], path_mapping: [proxied, { from: 'hot/**', to: 'app/hot/**', mode: 'sync' }] },
    [],
  ],
])('%s: the folders that are walked', (_, settings, folders) => {
  const asked = federation(settings);
  expect(asked.scopeOf('sync').folders).toEqual(folders);
  expect(asked.has('sync')).toBe(folders.length > 0);
});

test('a folder that is proxied is not entered, and one that may hold something else is', () => {
  const { enters } = federation({
    path_mapping: [{ from: 'hot/**', to: 'app/hot/**', mode: 'sync' }, proxied],
  }).scopeOf('sync');
  expect(['team/', 'app/', 'app/hot/', 'app/hot/deep/', 'app/cold/', 'app/cold/deep/'].filter(enters)).toEqual([
    'team/',
    'app/',
    'app/hot/',
    'app/hot/deep/',
  ]);
});

test('that nothing was found is said of what is carried alone', () => {
  const sync_paths = ['app/*', 'team/*', '**', 'ops/*'];
  const scope = federation({ sync_paths, path_mapping: [proxied] }).scopeOf('sync');
  expect(scope.unmatched()).toEqual(['team/*', 'ops/*']);
  expect(scope.includes('app/a')).toBe(false);
  expect(scope.includes('team/a')).toBe(true);
  expect(scope.unmatched()).toEqual(['ops/*']);
});

test('a path has one mode, which its local path and its remote path tell alike, and only its scope includes it', () => {
  const word = fc.constantFrom('a', 'b', '*', '**');
  const glob = fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
  const mode = fc.constantFrom('sync', 'proxy', undefined);
  const rule = fc.tuple(glob, mode).map(([to, mode]) => ({ from: `l/${to}`, to, ...(mode && { mode }) }));
  const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const settings = fc.record({
    mode: fc.constantFrom<'sync' | 'proxy'>('sync', 'proxy'),
    sync_paths: fc.array(glob, { minLength: 1, maxLength: 2 }),
    path_mapping: fc.array(rule, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(settings, path, (given, remote) => {
      const asked = accepted(given);
      fc.pre(asked !== null);
      const { placeOf, modeOf, mapping, scopeOf, has } = asked;
      const place = placeOf(mapping.toLocal(remote));
      if (place?.remotePath === remote) expect(place.mode).toBe(modeOf(remote));
      for (const mode of ['sync', 'proxy'] as const) {
        const scope = scopeOf(mode);
        if (scope.includes(remote)) {
          expect(modeOf(remote)).toBe(mode);
          expect(has(mode)).toBe(true);
          // Whatever is wanted is in a folder that is walked, through folders that are entered.
          const [folder = '/', ...others] = scope.folders.filter((folder) => remote.startsWith(folder));
          expect(others).toEqual([]);
          for (let end = remote.indexOf('/', folder.length); end >= 0; end = remote.indexOf('/', end + 1))
            expect(scope.enters(remote.slice(0, end + 1))).toBe(true);
          expect(remote.startsWith(folder)).toBe(true);
        }
      }
    }),
    { numRuns: 5_000 },
  );
});

function accepted(settings: Partial<FederationSettings>) {
  try {
    return federation(settings);
  } catch {
    return null;
  }
}
