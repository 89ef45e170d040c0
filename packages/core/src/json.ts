/** Undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a value is an object of JSON: not null, and no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

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

/**
 * Parses JSON text whose numbers survive: JavaScript would turn 12345678901234567890 into 12345678901234567000 and 1.10 into
 * 1.1. Those that it would change become raw JSON. Throws SyntaxError.
 */
export function parseExactJson(text: string): unknown {
  if (!riskyNumber.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_name, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? JSON.rawJSON(source) : value,
  );
}
