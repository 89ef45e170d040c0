import { Buffer } from 'node:buffer';
import { format, inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SecretValue } from '../src/index.ts';

const canary = 'canary-5d0c1f';
const secret = SecretValue.fromText(canary);

test.each<[string, () => string]>([
  ['string conversion', () => String(secret)],
  ['a template string', () => `${secret}`],
  ['concatenation', () => `is ${secret}`.concat(secret as unknown as string)],
  ['an array’s join', () => [secret, secret].join()],
  ['JSON', () => JSON.stringify({ secret, list: [secret] })],
  ['inspection', () => inspect(secret)],
  [
    'inspection inside of something',
    () => inspect({ deep: { list: [secret], map: new Map([['a', secret]]) } }, { depth: 9 }),
  ],
  ['inspection of hidden things', () => inspect(secret, { showHidden: true, depth: 9, customInspect: false })],
  ['console.log, which formats', () => format('%s %o %O %j', secret, secret, secret, secret)],
  ['an error’s message', () => String(new Error(`failed with ${secret}`))],
  ['its members', () => JSON.stringify([Object.entries(secret), Reflect.ownKeys(secret).map(String), { ...secret }])],
])('%s does not show a secret', (_, show) => {
  const shown = show();
  expect(shown).not.toContain(canary);
  expect(shown).not.toContain(Buffer.from(canary).toString('hex').slice(0, 8));
  expect(shown).not.toContain(inspect(Buffer.from(canary)).slice(8, 20));
});

test('only reveal gives the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const value = new SecretValue(Buffer.from(bytes));
      expect(value.reveal().equals(bytes)).toBe(true);
      expect(value.size).toBe(bytes.length);
      expect(inspect(value)).toBe('[secret]');
    }),
  );
});

test('text is kept as UTF-8', () => {
  expect(SecretValue.fromText('é').size).toBe(2);
});
