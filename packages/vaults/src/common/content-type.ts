import { isUtf8 } from 'node:buffer';

/** What the bytes of a value are: a JSON object, else UTF-8 text, else anything. */
export function contentTypeOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) return 'application/octet-stream';
  return isJsonObject(bytes.toString()) ? 'application/json' : 'text/plain';
}

function isJsonObject(text: string): boolean {
  // Most values are keys: no exception is needed to see that.
  if (!/^\s*\{/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
