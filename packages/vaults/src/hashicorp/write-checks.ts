import { type SecretValue, vaultFailure } from '@keyferry/core';
import { canonicalJson, isObject, type JsonObject, parseJson } from '../common/json.ts';
import { isAddressable } from './path.ts';

/** What the vault would refuse or change is refused here, before anything is sent. */
function refuse(path: string, why: string): never {
  throw vaultFailure('invalid', `Could not write "${path}": ${why}.`);
}

/** Control characters, lone surrogates, and all white space but the space: the vault refuses them in any path. */
const unprintable = /\p{C}|(?! )\p{Z}/u;

export function checkPath(path: string): void {
  if (!isAddressable(path)) refuse(path, 'a name may not have segments that are empty, "." or ".."');
  if (path.endsWith('.')) refuse(path, 'a name may not end in a period');
  if (unprintable.test(path)) refuse(path, 'a name may not have characters that can’t be printed');
}

/** The fields of a value: a JSON object, whose numbers keep their text. */
export function fieldsOf(path: string, value: SecretValue): JsonObject {
  const fields = parse(value.reveal());
  if (fields === null) refuse(path, 'the value is no JSON object, and this vault holds fields');
  if (holdsLoneSurrogate(fields)) refuse(path, 'the value has half a character, which the vault would replace');
  return fields;
}

function parse(bytes: Buffer): JsonObject | null {
  try {
    const fields = parseJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    // Deeper nesting than can be read back.
    canonicalJson(fields);
    return isObject(fields) ? fields : null;
  } catch {
    return null;
  }
}

function holdsLoneSurrogate(fields: JsonObject): boolean {
  let found = false;
  JSON.stringify(fields, (name, value) => {
    found ||= !name.isWellFormed() || (typeof value === 'string' && !value.isWellFormed());
    return value;
  });
  return found;
}

const mostMetadata = 64;
const longestName = 128;
const longestValue = 512;

/** Custom metadata within the vault's limits, or null if there is none to be written. */
export function metadataOf(path: string, metadata: Record<string, string> = {}): Record<string, string> | null {
  const entries = Object.entries(metadata);
  if (entries.length > mostMetadata) refuse(path, `the vault takes ${mostMetadata} entries of metadata at most`);
  for (const [name, value] of entries) {
    if (!fits(name, longestName))
      refuse(path, `the name of an entry of metadata must have 1 to ${longestName} bytes that can be printed`);
    if (!fits(value, longestValue))
      refuse(path, `the metadata "${name}" must have 1 to ${longestValue} bytes that can be printed`);
  }
  return entries.length === 0 ? null : metadata;
}

function fits(text: string, longest: number): boolean {
  const length = Buffer.byteLength(text);
  return length > 0 && length <= longest && !unprintable.test(text);
}
