import { parseExactJson } from '@keyferry/core';

/** JSON whose numbers survive: a secret must arrive as it was written. */
export { parseExactJson as parseJson };

/** Deeper nesting than any vault carries; kept far below what would exhaust the stack. */
const deepest = 1_000;

/** JSON text without white space, members sorted by name at every level, so that equal values are equal text. */
export function canonicalJson(value: unknown, depth = 0): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (JSON.isRawJSON(value)) return JSON.stringify(value);
  if (depth > deepest) throw new RangeError('nested too deeply');
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${canonicalJson(item, depth + 1)}`).join(',')}}`;
}

export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}
