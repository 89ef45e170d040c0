import { KeyferryError } from './errors.ts';
import { parseExactJson } from './json.ts';

/** What a text that may be a reference stands for. */
export type Reference =
  | { kind: 'key'; path: string; field: string | null }
  | { kind: 'environment'; variable: string }
  | { kind: 'plain' };

/**
 * `vault.<path>` and `vault.<path>#<field>` name a key and a field of its JSON, with `#` and `%` of names percent-encoded;
 * `env.<VAR>` names a variable; anything else is the value itself. Throws `reference_invalid`, without the text, which
 * may be a secret after all.
 */
export function parseReference(text: string): Reference {
  if (text.startsWith('env.')) {
    const variable = text.slice('env.'.length);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable))
      throw new KeyferryError('reference_invalid', 'A reference begins with "env." but names no variable.');
    return { kind: 'environment', variable };
  }
  if (!text.startsWith('vault.')) return { kind: 'plain' };
  const [path = '', ...fields] = text.slice('vault.'.length).split('#').map(decode);
  if (path === '' || fields.length > 1 || fields[0] === '')
    throw new KeyferryError(
      'reference_invalid',
      'A reference begins with "vault." but is not of the form vault.<path> or vault.<path>#<field>.',
    );
  return { kind: 'key', path, field: fields[0] ?? null };
}

/** The reference to all of a key's value. */
export const referenceTo = (path: string): string =>
  `vault.${path.replace(/[#%]/g, (sign) => (sign === '#' ? '%23' : '%25'))}`;

function decode(part: string): string {
  return !part.includes('%') ? part : part.replace(/%23|%25/g, (code) => (code === '%23' ? '#' : '%'));
}

/**
 * The text that a key's value stands for: one field of its JSON, or all of it, where an object with the single field
 * `value` is that field. Null where there is no such field.
 */
export function textOf(value: Uint8Array, field: string | null): string | null {
  const text = new TextDecoder().decode(value);
  const fields = objectOf(text);
  if (field !== null) return fields && Object.hasOwn(fields, field) ? memberText(fields, field, text) : null;
  const names = Object.keys(fields ?? {});
  return fields && names.length === 1 && names[0] === 'value' ? (memberText(fields, 'value', text) ?? text) : text;
}

/** What is no text is JSON as it is written, its numbers to the last digit; null for what is nested too deeply for that. */
function memberText(fields: Record<string, unknown>, name: string, text: string): string | null {
  const member = fields[name];
  if (typeof member === 'string') return member;
  try {
    return JSON.stringify(Object(parseExactJson(text))[name]);
  } catch {
    return null;
  }
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : null;
  } catch {
    return null;
  }
}
