import { expect, test } from 'vitest';
import { foldersOf, parseGlob, parseSelection } from '../src/index.ts';

test('what has a wildcard is a glob, all else a path', () => {
  const { paths, globs } = parseSelection(['a/b', 'a/*', 'odd [name] #1%', 'c?', '**']);
  expect(paths).toEqual(['a/b', 'odd [name] #1%']);
  expect(globs.map(({ source }) => source)).toEqual(['a/*', 'c?', '**']);
});

test('texts are compared in the form that paths are stored in', () => {
  const [decomposed, composed] = ['e\u0301/a', '\u00e9/a'];
  expect(parseSelection([decomposed]).paths).toEqual([composed]);
  expect(parseSelection([`${decomposed}*`]).globs[0]?.test(`${composed}b`)).toBe(true);
});

test.each([
  ['a//b', 'request_invalid'],
  ['', 'request_invalid'],
  ['../a', 'request_invalid'],
  ['a/**b', 'glob_invalid'],
  ['/a/*', 'glob_invalid'],
  ['[a]*', 'glob_invalid'],
])('%j is refused as %s', (text, code) => {
  expect(() => parseSelection(['fine', text])).toThrow(expect.objectContaining({ code }));
});

test.each([
  [['a/b/*', 'a/c?'], ['a/']],
  [
    ['a/b/*', 'c/*'],
    ['a/b/', 'c/'],
  ],
  [['a/*', 'a/?', 'a/**'], ['a/']],
  [['a/b/*', 'x*'], ['']],
  [
    ['ab/*', 'a/*'],
    ['ab/', 'a/'],
  ],
  [[], []],
])('the folders of %j hold all their matches, none of them twice', (globs, folders) => {
  expect(foldersOf(globs.map(parseGlob))).toEqual(folders);
});
