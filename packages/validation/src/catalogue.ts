import { cloudFormats } from './formats/clouds.ts';
import { codeFormats } from './formats/code.ts';
import type { Format } from './formats/format.ts';
import { keyFormats } from './formats/keys.ts';
import { modelFormats } from './formats/models.ts';
import { serviceFormats } from './formats/services.ts';

/** Every well-known format, in the order in which they are tried. */
export const formats: readonly Format[] = [
  ...modelFormats,
  ...cloudFormats,
  ...codeFormats,
  ...serviceFormats,
  ...keyFormats,
];

export const formatsByName: ReadonlyMap<string, Format> = new Map(formats.map((format) => [format.name, format]));

/** In characters. A longer text is of no format; the patterns are native ones, so it isn't even looked at. */
const mostCharacters = 16 * 1024;

export function isOfFormat(text: string, format: Format): boolean {
  return text.length <= mostCharacters && format.pattern.test(text) && (format.verify?.(text) ?? true);
}

interface Beginning {
  prefix: string;
  format: Format;
  distinctive: boolean;
}

/** By first character, so that most texts are compared with no prefix at all. */
const beginnings = new Map<string, Beginning[]>();
for (const format of formats) {
  for (const prefix of format.prefixes) add({ prefix, format, distinctive: true });
  for (const prefix of format.otherPrefixes) add({ prefix, format, distinctive: false });
}

function add(beginning: Beginning): void {
  const first = beginning.prefix.charAt(0);
  beginnings.set(first, [...(beginnings.get(first) ?? []), beginning]);
}

/** The format that the whole text has, if its beginning tells. */
export function recognise(text: string): Format | null {
  const found = beginnings
    .get(text.charAt(0))
    ?.find(({ prefix, format }) => text.startsWith(prefix) && isOfFormat(text, format));
  return found?.format ?? null;
}

/** The format that a text wants to be by a beginning that no other has, whether or not it is. */
export function beginsAs(text: string): Format | null {
  if (text.length > mostCharacters) return null;
  const found = beginnings
    .get(text.charAt(0))
    ?.find(({ prefix, distinctive }) => distinctive && text.startsWith(prefix));
  return found?.format ?? null;
}
