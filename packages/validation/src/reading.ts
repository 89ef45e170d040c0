import { isUtf8 } from 'node:buffer';
import { isObject, parseJson } from '@keyferry/core';

/** What is judged: a whole value, or one field of it. */
export interface Subject {
  /** Null if it is no text: not UTF-8, or nested too deeply. */
  text: string | null;
  /** Length in UTF-8. */
  bytes: number;
  /** The value as JSON, or undefined if it is none. */
  json(): unknown;
}

export interface Reading extends Subject {
  /** The fields of a JSON object, as stored. */
  fields: Record<string, unknown> | null;
  /** The text by whose form the type is recognised: of an object with a single field, that field. */
  form: string | null;
}

/**
 * A value as the vault has it. One that is a JSON object with the single field `value` resolves to that field, so
 * that field is its text; `json` and `fields` are always as stored.
 */
export function readValue(value: Buffer): Reading {
  if (!isUtf8(value)) return { text: null, bytes: value.length, json: () => undefined, fields: null, form: null };
  const stored = value.toString('utf8');
  const object = stored.startsWith('{') ? parseJson(stored) : undefined;
  const fields = isObject(object) ? object : null;
  const names = fields ? Object.keys(fields) : [];
  const resolved = fields && names.length === 1 && names[0] === 'value' ? textOf(fields.value) : stored;
  const only = names.length === 1 ? fields?.[names[0] as string] : stored;
  return {
    text: resolved,
    bytes: resolved === stored || resolved === null ? value.length : Buffer.byteLength(resolved),
    json: () => fields ?? parseJson(stored),
    fields,
    form: typeof only === 'string' ? only : null,
  };
}

/** One field of a JSON object; what is no string is judged as its JSON text. */
export function fieldOf(fields: Record<string, unknown>, name: string): Subject | null {
  if (!Object.hasOwn(fields, name)) return null;
  const value = fields[name];
  const text = textOf(value);
  return { text, bytes: text === null ? 0 : Buffer.byteLength(text), json: () => value };
}

/** A string itself, anything else as JSON; null for what is nested too deeply to be written. */
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}
