import { expect, test } from 'vitest';
import { contentTypeOf } from '../src/common/content-type.ts';
import { earlier, timeOf } from '../src/common/expiry-tag.ts';

test.each([
  ['{"value":"x"}', 'application/json'],
  [' {}\n', 'application/json'],
  ['["x"]', 'text/plain'],
  ['"x"', 'text/plain'],
  ['{"value":', 'text/plain'],
  ['sk-ключ', 'text/plain'],
  ['', 'text/plain'],
])('%j is %s', (text, type) => {
  expect(contentTypeOf(Buffer.from(text))).toBe(type);
});

test('bytes that are no UTF-8 are anything', () => {
  expect(contentTypeOf(Buffer.from([0x7b, 0xff, 0x7d]))).toBe('application/octet-stream');
});

test.each([
  ['2026-03-01', '2026-03-01T00:00:00.000Z'],
  ['2026-03-01T12:30', '2026-03-01T12:30:00.000Z'],
  ['2026-03-01T12:30:00.123456Z', '2026-03-01T12:30:00.123Z'],
  ['2026-03-01T12:30:00+02:00', '2026-03-01T10:30:00.000Z'],
])('%s is a time in UTC', (text, time) => {
  expect(timeOf(text)?.toISOString()).toBe(time);
});

test.each([undefined, '', 'soon', '2026', '2026-13-01', '0000-01-01', '1'])('%s is no time', (text) => {
  expect(timeOf(text)).toBeNull();
});

test('of two ends the first counts, and none is no end', () => {
  const [first, second] = [new Date(1), new Date(2)];
  expect([earlier(first, second), earlier(second, first)]).toEqual([first, first]);
  expect([earlier(null, second), earlier(first, null), earlier(null, null)]).toEqual([second, first, null]);
});
