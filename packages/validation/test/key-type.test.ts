import { expect, test } from 'vitest';
import { fake, judged, unruled } from './support.ts';

test.each([
  ['{"value":"test-key-0123456789"}', undefined, 'api_key'],
  ['test-key-0123456789', undefined, 'api_key'],
  ['short', undefined, 'opaque'],
  ['words with spaces are no key', undefined, 'opaque'],
  ['{"value":"sk-bf-0123456789abcdef"}', undefined, 'virtual_key'],
  ['{"username":"a","password":"b"}', undefined, 'json'],
  ['{}', undefined, 'json'],
  ['{"value":7}', undefined, 'opaque'],
  ['{not json', undefined, 'opaque'],
  ['', undefined, 'opaque'],
  ['-----BEGIN OPENSSH PRIVATE KEY-----\nx', undefined, 'ssh_key'],
  ['ssh-ed25519 AAAA', undefined, 'ssh_key'],
  ['-----BEGIN CERTIFICATE-----\nx', undefined, 'certificate'],
  ['{"username":"a","password":"b"}', 'opaque', 'opaque'],
  ['anything', 'certificate', 'certificate'],
  ['short', 'no such type', 'opaque'],
  [`eyJ${'A'.repeat(900)}.eyJ${'A'.repeat(900)}.AA`, undefined, 'api_key'],
])('%s, tagged %s, is of type %s', (value, tag, type) => {
  expect(unruled(value, 'team/key', tag).type).toBe(type);
});

test('a rule’s type goes before tag and look, also where the value fails it', () => {
  expect(judged({ type: 'virtual_key' }, fake.openai).type).toBe('virtual_key');
  expect(judged({ type: 'openai_api_key', severity: 'warn' }, 'two words').type).toBe('api_key');
  expect(judged({ type: 'opaque' }, fake.openai)).toMatchObject({ type: 'opaque', format: 'openai_api_key' });
});

test('a rule without a type leaves the type to tag and look', () => {
  expect(judged({ min_length: 1 }, fake.bifrost).type).toBe('virtual_key');
});

test('bytes that are no text are opaque', () => {
  expect(unruled(Buffer.from([0xff]))).toMatchObject({ type: 'opaque', format: null });
});
