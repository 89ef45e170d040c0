import { invalid } from './answer.ts';

export type JsonObject = Record<string, unknown>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A body as a JSON object; none is an empty one. Throws for anything else. */
export function parseBody(bytes: Buffer): JsonObject {
  if (bytes.length === 0) return {};
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString());
  } catch {
    throw invalid('Invalid JSON payload received. Unexpected token.');
  }
  if (!isObject(body)) throw invalid('Invalid JSON payload received. Root element must be a message.');
  return body;
}

/** Throws for a member that the message doesn't have. Members may be written in snake_case too. */
export function membersOf(value: unknown, where: string, known: readonly string[]): JsonObject {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw invalid(`Invalid value at '${where}'`);
  const members = Object.entries(value).map(([name, member]) => {
    const field = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (known.includes(field)) return [field, member] as const;
    const at = where === '' ? '' : ` at '${where}'`;
    throw invalid(`Invalid JSON payload received. Unknown name "${name}"${at}: Cannot find field.`);
  });
  return Object.fromEntries(members);
}

/** A map of texts; throws if it is something else. */
export function textsOf(value: unknown, where: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw invalid(`Invalid value at '${where}' (Map), it is no map`);
  for (const member of Object.values(value))
    if (typeof member !== 'string') throw invalid(`Invalid value at '${where}[0].value' (TYPE_STRING)`);
  return value as Record<string, string>;
}
