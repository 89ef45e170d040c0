import { isUtf8 } from 'node:buffer';
import { KeyferryError, SecretValue } from '@keyferry/core';
import type { Capabilities } from '../contract.ts';
import { canonicalJson, isObject, parseJson } from './json.ts';

/**
 * A value that was given for a path, as a vault will be read to hold it: of a vault of fields an object as its canonical JSON,
 * and any other text as the field `value`. Throws `value_not_writable` for what such a vault can't hold.
 */
export function heldValue(values: Capabilities['values'], path: string, value: SecretValue): SecretValue {
  if (values === 'bytes') return value;
  const bytes = value.reveal();
  if (!isUtf8(bytes))
    throw new KeyferryError(
      'value_not_writable',
      `The value for "${path}" is no text, and its vault holds text alone.`,
    );
  return values === 'text' ? value : SecretValue.fromText(fieldsOf(bytes.toString('utf8'), path));
}

function fieldsOf(text: string, path: string): string {
  const parsed = objectIn(text);
  if (parsed === null) return canonicalJson({ value: text });
  try {
    return canonicalJson(parsed);
  } catch {
    throw new KeyferryError('value_not_writable', `The value for "${path}" is nested deeper than its vault can hold.`);
  }
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const parsed = parseJson(text);
    return isObject(parsed) ? parsed : null;
  } catch {
    return null;
  }
}
