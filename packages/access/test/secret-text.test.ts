import { SecretValue } from '@keyferry/core';
import { expect, test } from 'vitest';
import { etagMatches, secretText } from '../src/index.ts';

const textOf = (value: string | Buffer, field: string | null = null) =>
  secretText({ path: 'a', value: new SecretValue(Buffer.from(value)) }, field);

test.each([
  ['a plain text', 'sk-1', 'sk-1'],
  ['an object with the single field value', ' {"value":"sk-1"}', 'sk-1'],
  ['another object', '{"a":1,"value":"x"}', '{"a":1,"value":"x"}'],
  ['what only begins as one', '{not json', '{not json'],
  ['a list', '["value"]', '["value"]'],
  ['a text with a mark of its byte order', '\uFEFFsk-1', '\uFEFFsk-1'],
  ['nothing', '', ''],
])('%s is answered as it is', (_what, value, expected) => {
  expect(textOf(value)).toEqual({ value: expected, encoding: 'utf8' });
});

test('bytes that are no text are base64, and have no fields', () => {
  const bytes = Buffer.from([0xff, 0x00, 0x7b]);
  expect(textOf(bytes)).toEqual({ value: bytes.toString('base64'), encoding: 'base64' });
  expect(() => textOf(bytes, 'a')).toThrow('The value of "a" has no field "a".');
});

test('fields that are no texts are JSON, and inherited ones are none', () => {
  expect(textOf('{"a":{"b":[1]},"c":null}', 'a').value).toBe('{"b":[1]}');
  expect(textOf('{"a":{"b":[1]},"c":null}', 'c').value).toBe('null');
  for (const field of ['toString', '__proto__', 'd'])
    expect(() => textOf('{"a":1}', field)).toThrow(expect.objectContaining({ code: 'field_not_found' }));
});

test('numbers are answered as they are written, however long', () => {
  const text = '{"id":12345678901234567890,"price":1.10,"big":1e400,"list":[12345678901234567890],"port":5432}';
  expect(textOf(text, 'id').value).toBe('12345678901234567890');
  expect(textOf(text, 'price').value).toBe('1.10');
  expect(textOf(text, 'big').value).toBe('1e400');
  expect(textOf(text, 'list').value).toBe('[12345678901234567890]');
  expect(textOf(text, 'port').value).toBe('5432');
  expect(textOf('{"value":12345678901234567890}').value).toBe('12345678901234567890');
  expect(() => textOf('12345678901234567890', 'rawJSON')).toThrow(expect.objectContaining({ code: 'field_not_found' }));
});

test('what is nested without measure is a value like any other, and no field', () => {
  const deep = `${'['.repeat(30_000)}1.5${']'.repeat(30_000)}`;
  expect(textOf(`{"value":${deep}}`).value).toBe(`{"value":${deep}}`);
  expect(textOf(`{"a":${deep},"b":"x"}`, 'b').value).toBe('x');
  expect(() => textOf(`{"a":${deep}}`, 'a')).toThrow(expect.objectContaining({ code: 'field_not_found' }));
});

test('If-None-Match may be a list, or a star, and marks of weakness don’t count', () => {
  for (const header of ['"a"', 'W/"a"', '"b", "a"', ' * ', '"b",W/"a"']) expect(etagMatches(header, '"a"')).toBe(true);
  for (const header of ['', '"b"', 'a', '"a', '"A"']) expect(etagMatches(header, '"a"')).toBe(false);
});
