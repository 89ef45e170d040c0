import { expect, test } from 'vitest';
import { inRanges } from '../src/index.ts';

test.each<[string, string[], boolean]>([
  ['10.1.2.3', ['10.0.0.0/8'], true],
  ['10.1.2.3', ['192.0.2.0/24', '10.1.2.3'], true],
  ['11.1.2.3', ['10.0.0.0/8'], false],
  ['::ffff:10.1.2.3', ['10.0.0.0/8'], true],
  ['64:ff9b::10.1.2.3', ['10.0.0.0/8'], false],
  ['2001:db8::1', ['2001:db8::/32'], true],
  ['2001:db9::1', ['2001:db8::/32'], false],
  ['fe80::1%eth0', ['fe80::/10'], true],
  ['10.1.2.3', ['::/0'], false],
  ['2001:db8::1', ['0.0.0.0/0'], false],
  ['10.1.2.3', [], false],
  ['10.1.2.3', ['nonsense'], false],
  ['010.1.2.3', ['10.0.0.0/8'], false],
  ['', ['0.0.0.0/0'], false],
])('%s and %j: %s', (address, ranges, expected) => {
  expect(inRanges(address, ranges)).toBe(expected);
  expect(inRanges(address, ranges)).toBe(expected);
});
