/**
 * JSON whose numbers survive. JavaScript would turn 12345678901234567890 into 12345678901234567000 and 1.10 into 1.1;
 * a secret must arrive as it was written.
 */

declare global {
  /** From https://tc39.es/proposal-json-parse-with-source, which Node has and TypeScript does not declare yet. */
  interface JSON {
    parse(text: string, reviver: (name: string, value: unknown, context: { source?: string }) => unknown): unknown;
    rawJSON(text: string): unknown;
    isRawJSON(value: unknown): boolean;
  }
}

/**
 * A number that JavaScript might write otherwise: long, with a fraction, an exponent or a minus zero. Times, which every
 * answer has, are none: a member's number comes after its name's quotation mark.
 */
const riskyNumber = /(?:^|"\s*:|[[,])\s*-?(?:\d{16}|\d+[.eE]|0(?<=-0))/;

/** Deeper nesting than any vault carries; kept far below what would exhaust the stack. */
const deepest = 1_000;

/** Parses JSON text; numbers that JavaScript would change become raw JSON. Throws SyntaxError. */
export function parseJson(text: string): unknown {
  if (!riskyNumber.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_name, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? JSON.rawJSON(source) : value,
  );
}

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
