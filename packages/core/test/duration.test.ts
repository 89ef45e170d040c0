import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, KeyferryError, parseDuration } from '../src/index.ts';

test.each([
  ['5s', 5],
  ['300s', 300],
  ['15m', 900],
  ['24h', 86_400],
  ['7d', 604_800],
  ['90d', 7_776_000],
  ['999999999s', 999_999_999],
])('%s is %d seconds', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each([
  '',
  '0s',
  '00s',
  '05s',
  '5',
  's',
  '5 minutes',
  '5 m',
  ' 5m',
  '5m ',
  '5m\n',
  '-5m',
  '+5m',
  '1.5h',
  '1h30m',
  '5M',
  '5w',
  '1e3s',
  '٣s',
  '1000000000s',
])('"%s" is refused as no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'duration_invalid' }));
});

test('a refused duration is quoted, and the action says how to write one', () => {
  const error = (() => {
    try {
      return parseDuration('5 minutes');
    } catch (thrown) {
      return thrown;
    }
  })() as KeyferryError;
  expect(error).toBeInstanceOf(KeyferryError);
  expect(error.message).toBe('"5 minutes" is not a duration.');
  expect(error.action).toContain('15m');
});

test.each([
  [1, '1s'],
  [59, '59s'],
  [60, '1m'],
  [90, '90s'],
  [3600, '1h'],
  [5400, '90m'],
  [86_400, '1d'],
  [90_000, '25h'],
])('%d seconds are written %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test('whatever is written can be read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999_999 }), (seconds) => {
      expect(parseDuration(formatDuration(seconds))).toBe(seconds);
    }),
  );
});
