import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseMapping } from '../src/index.ts';

test('without rules, and where none matches, a name is its own local path', () => {
  expect(parseMapping([]).toLocal('bifrost/a')).toBe('bifrost/a');
  expect(parseMapping([{ from: 'x/*', to: 'y/*' }]).toLocal('bifrost/a')).toBe('bifrost/a');
  expect(parseMapping([]).toRemote('bifrost/a')).toBe('bifrost/a');
});

test.each([
  // from (local), to (remote), remote name, local path
  ['llm/*', 'bifrost/*', 'bifrost/openai', 'llm/openai'],
  ['llm/**', 'bifrost/team/**', 'bifrost/team/a/b', 'llm/a/b'],
  ['prod/*/key', 'teams/*/prod', 'teams/red/prod', 'prod/red/key'],
  ['*/v?', '*-v?', 'a-b-v1', 'a-b/v1'],
  ['one', 'bifrost/one', 'bifrost/one', 'one'],
])('%s stands for %s: "%s" is "%s", and back', (from, to, remote, local) => {
  const mapping = parseMapping([{ from, to }]);
  expect(mapping.toLocal(remote)).toBe(local);
  expect(mapping.toRemote(local)).toBe(remote);
});

test('the first rule that matches wins, in both directions', () => {
  const mapping = parseMapping([
    { from: 'special', to: 'bifrost/a' },
    { from: 'all/*', to: 'bifrost/*' },
  ]);
  expect(mapping.toLocal('bifrost/a')).toBe('special');
  expect(mapping.toLocal('bifrost/b')).toBe('all/b');
  expect(mapping.toRemote('special')).toBe('bifrost/a');
});

test('a remote name is taken without its leading slash and in NFC', () => {
  expect(parseMapping([{ from: 'x/*', to: 'é/*' }]).toLocal('/e\u0301/key')).toBe('x/key');
});

test.each([
  ['a/*', 'b'],
  ['a', 'b/*'],
  ['a/*', 'b/**'],
  ['a/*/**', 'b/**/*'],
  ['a/?', 'b/*'],
  ['a/*', 'b/*/*'],
  // Alike wildcards, but "p_q-r" and "p-q_r" would both be "p-q-r".
  ['*-*', '*_*'],
  ['**/a/**', '**/b/**'],
  ['x/*-*', 'x/*/*'],
])('a rule from %s to %s can’t be inverted, and is refused', (from, to) => {
  expect(() => parseMapping([{ from, to }])).toThrow(expect.objectContaining({ code: 'mapping_not_invertible' }));
});

test('a rule with a glob that means nothing is refused as that', () => {
  expect(() => parseMapping([{ from: 'a[b]', to: 'c' }])).toThrow(expect.objectContaining({ code: 'glob_invalid' }));
});

test('whatever a rule maps is mapped back to itself', () => {
  const segment = fc.constantFrom('a', 'b', 'a-b', '*', '**', '*-*', '?', 'a*', '*-?');
  const glob = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 4 });
  const path = fc.array(word, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'));
  fc.assert(
    fc.property(glob, glob, path, (from, to, remote) => {
      const mapping = accepted(from, to);
      fc.pre(mapping !== null);
      const local = mapping.toLocal(remote);
      if (local !== remote) expect(mapping.toRemote(local)).toBe(remote);
    }),
    { numRuns: 2_000 },
  );
});

function accepted(from: string, to: string) {
  try {
    return parseMapping([{ from, to }]);
  } catch {
    return null;
  }
}
