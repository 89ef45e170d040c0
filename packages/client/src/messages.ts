/** What Keyferry answers, as far as the client needs it. A test holds these types to Keyferry's contracts. */

export type Item =
  | { reference: string; value: string; encoding: 'utf8' | 'base64' }
  | { reference: string; error: { code: string; message: string; action: string } };

export type ChangeMessage =
  | { type: 'hello' }
  | { type: 'alive' }
  | { type: 'flush' }
  | { type: 'changed'; paths: string[] };

/** The items of an answer, or null if it isn't one to these references. */
export function itemsOf(answer: unknown, references: readonly string[]): Item[] | null {
  const items = isObject(answer) ? answer.items : null;
  if (!Array.isArray(items) || items.length !== references.length) return null;
  return items.every((item, index) => isItem(item) && item.reference === references[index]) ? items : null;
}

function isItem(item: unknown): item is Item {
  if (!isObject(item)) return false;
  return (typeof item.value === 'string' && typeof item.encoding === 'string') || errorOf(item) !== null;
}

/** The error of an answer, or null if it has none. */
export function errorOf(answer: unknown): { code: string; message: string; action: string } | null {
  const error = isObject(answer) ? answer.error : null;
  if (!isObject(error)) return null;
  const { code, message, action } = error;
  if (typeof code !== 'string' || typeof message !== 'string' || typeof action !== 'string') return null;
  return { code, message, action };
}

/** A message, or null for one that this client doesn't know. */
export function changeMessageOf(data: string): ChangeMessage | null {
  const message = parse(data);
  if (!isObject(message)) return null;
  const { type, paths } = message;
  if (type === 'hello' || type === 'alive' || type === 'flush') return { type };
  return type === 'changed' && Array.isArray(paths) ? { type, paths: paths.map(String) } : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
