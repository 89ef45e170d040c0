import type { SecretVersion } from '@keyferry/vaults';
import { expect, test } from 'vitest';
import { missingVersions } from '../src/stages/history.ts';

const hour = (number: number) => new Date(Date.UTC(2026, 0, 1, number));

const versions = (...numbers: number[]): SecretVersion[] =>
  numbers.map((number) => ({
    version: String(number),
    createdAt: hour(number),
    state: 'available',
    current: false,
    labels: [],
  }));

const known = (number: number) => ({ remoteVersion: String(number), remoteCreatedAt: hour(number) });

test.for([
  ['a new key takes all before the current one, the oldest first', versions(4, 3, 2, 1), '4', null, 9, ['1', '2', '3']],
  ['at most so many, the newest of them', versions(4, 3, 2, 1), '4', null, 2, ['2', '3']],
  ['a known key takes those since', versions(6, 5, 4, 3), '6', known(4), 9, ['5']],
  ['nothing lies between neighbours', versions(5, 4, 3), '5', known(4), 9, []],
  ['where the known one is no longer kept, those made after it', versions(9, 8, 7), '9', known(3), 9, ['7', '8']],
  ['newer ones that are not current are none of the past', versions(6, 5, 4), '5', known(4), 9, []],
  ['a label that went back to an older version brings nothing', versions(6, 5, 4), '4', known(6), 9, []],
  ['where the current one is not in the list, nothing is known of its past', versions(6, 5), '4', null, 9, []],
] as const)('%s', ([, all, current, before, most, missing]) => {
  expect(missingVersions(all, current, before, most)).toEqual(missing);
});

test('versions that can’t be read are left out', () => {
  const [newest, disabled, oldest] = versions(3, 2, 1);
  const all = [newest, { ...disabled, state: 'disabled' }, oldest] as SecretVersion[];
  expect(missingVersions(all, '3', null, 9)).toEqual(['1']);
});
