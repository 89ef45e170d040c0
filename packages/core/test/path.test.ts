import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describePathProblem, maxPathBytes, normalizePath, pathProblem } from '../src/index.ts';

test.each([
  'a',
  'bifrost/openai',
  'a/b/c',
  'Käse/日本語/🔑',
  'with spaces/100%/#1',
  '...',
  'a/.hidden',
  'a/b.',
  '-/_',
  'x'.repeat(1024),
  'é'.repeat(512),
])('"%s" can be a local path', (path) => {
  expect(pathProblem(path)).toBeNull();
});

test.each([
  ['', 'empty'],
  ['/', 'empty_segment'],
  ['a//b', 'empty_segment'],
  ['a/', 'empty_segment'],
  ['/a', 'empty_segment'],
  ['.', 'dot_segment'],
  ['a/..', 'dot_segment'],
  ['../a', 'dot_segment'],
  ['a/./b', 'dot_segment'],
  ['a\0b', 'control_character'],
  ['a\nb', 'control_character'],
  ['a\u007fb', 'control_character'],
  ['a\u0085b', 'control_character'],
  ['a\ud800b', 'not_unicode'],
  ['x'.repeat(1025), 'too_long'],
  ['é'.repeat(513), 'too_long'],
  ['🔑'.repeat(257), 'too_long'],
] as const)('%j is refused: %s', (path, problem) => {
  expect(pathProblem(path)).toBe(problem);
  expect(describePathProblem(problem)).toMatch(/^it (is|has) /);
});

test('letter case counts', () => {
  expect(normalizePath('Bifrost/Key')).toBe('Bifrost/Key');
});

test('a remote name loses one leading slash, and its letters become NFC', () => {
  expect(normalizePath('/a/b')).toBe('a/b');
  expect(normalizePath('//a')).toBe('/a');
  expect(normalizePath('cafe\u0301')).toBe('caf\u00e9');
});

test('normalising twice changes nothing more, but for a further leading slash', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const once = normalizePath(name);
      if (!once.startsWith('/')) expect(normalizePath(once)).toBe(once);
    }),
  );
});

test('whatever passes has only good segments and fits', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom('a', '/', '.', 'é', '\n')).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (path) => {
      const good =
        path.isWellFormed() &&
        Buffer.byteLength(path) <= maxPathBytes &&
        !/\p{Cc}/u.test(path) &&
        path.split('/').every((segment) => !['', '.', '..'].includes(segment));
      expect(pathProblem(path) === null).toBe(good);
    }),
  );
});
