import { isUtf8 } from 'node:buffer';
import { KeyferryError, type SecretValue, textOf } from '@keyferry/core';
import type { HeldSecret } from './held-secret.ts';

export interface SecretText {
  value: string;
  encoding: 'utf8' | 'base64';
}

/**
 * A value as it is answered: a field of its JSON, or all of it, where an object with the single field `value` is that field.
 * Bytes that are no text are base64. Throws `field_not_found`.
 */
export function secretText({ path, value }: Pick<HeldSecret, 'path' | 'value'>, field: string | null): SecretText {
  const text = field === null ? wholeTextOf(value) : fieldText(value, field);
  if (text !== null) return text;
  throw new KeyferryError('field_not_found', `The value of "${path}" has no field "${field}".`);
}

/** What is answered of a value again and again: it goes with the value. */
const known = new WeakMap<SecretValue, SecretText>();

function wholeTextOf(value: SecretValue): SecretText {
  const text = known.get(value) ?? wholeText(value);
  known.set(value, text);
  return text;
}

function wholeText(value: SecretValue): SecretText {
  const bytes = value.reveal();
  if (!isUtf8(bytes)) return { value: bytes.toString('base64'), encoding: 'base64' };
  // What is no object is answered to the byte, and costs no attempt to read it as one.
  return { value: mayBeObject(bytes) ? (textOf(bytes, null) ?? '') : bytes.toString('utf8'), encoding: 'utf8' };
}

function fieldText(value: SecretValue, field: string): SecretText | null {
  const bytes = value.reveal();
  const text = isUtf8(bytes) ? textOf(bytes, field) : null;
  return text === null ? null : { value: text, encoding: 'utf8' };
}

const brace = '{'.charCodeAt(0);
const isSpace = (byte: number) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

function mayBeObject(bytes: Buffer): boolean {
  let first = 0;
  while (isSpace(bytes[first] ?? brace)) first++;
  return bytes[first] === brace;
}
