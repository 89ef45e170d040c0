/**
 * JSON as the server's encoder writes it: members sorted by byte order, numbers as the client wrote them, and `<`, `>`,
 * `&` escaped. Texts are stored in this form, so that an answer needs no further work.
 */

/** A number that a double can't carry without changing its text. */
class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type JsonObject = { [name: string]: unknown };

// A fraction, an exponent, more digits than a double holds, or a negative zero.
const delicateNumber = /\d(?:[.eE]|\d{15})|-0/;

/** Parses JSON, keeping the text of numbers that would change. Throws SyntaxError. */
export function parseJson(text: string): unknown {
  if (!delicateNumber.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_name, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && context?.source !== undefined && String(value) !== context.source
      ? new NumberText(context.source)
      : value,
  );
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberText);
}

export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (value === null || value === undefined) return 'null';
  if (value instanceof NumberText) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object') return JSON.stringify(value);
  const members = value as JsonObject;
  const names = sortByBytes(Object.keys(members));
  return `{${names.map((name) => `${quote(name)}:${canonicalJson(members[name])}`).join(',')}}`;
}

const unsafe = /[<>&\u2028\u2029]/g;

export function quote(text: string): string {
  const quoted = JSON.stringify(text);
  if (quoted.search(unsafe) === -1) return quoted;
  return quoted.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Sorts in place by UTF-8 bytes, which differs from UTF-16 order only where there are surrogates. */
export function sortByBytes(names: string[]): string[] {
  if (!names.some((name) => /[\ud800-\udfff]/.test(name))) return names.sort();
  return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** A whole number given as a number, or as text of one; null if it is neither. */
export function toInteger(value: unknown): number | null {
  const text = value instanceof NumberText ? value.text : value;
  const number = typeof text === 'string' && text.trim() !== '' ? Number(text) : text;
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : null;
}
