import { expect, test } from 'vitest';
import { keyTypeOf } from '../src/index.ts';

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
])('%s, tagged %s, is of type %s', (value, tag, type) => {
  expect(keyTypeOf(value, tag)).toBe(type);
});
