import { vaultFailure } from '@keyferry/core';

const mostTags = 50;

/** Letters, numbers and spaces of any script, and a few signs. */
const characters = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** Throws for metadata that AWS would not take as tags. */
export function checkTags(metadata: Readonly<Record<string, string>>, what: string): void {
  const refuse = (why: string) =>
    vaultFailure('invalid', `Could not ${what}: its metadata can’t be tags of AWS, ${why}.`);
  const entries = Object.entries(metadata);
  if (entries.length > mostTags) throw refuse('of which there are 50 at most');
  for (const [key, value] of entries) {
    if (key === '' || key.length > 128 || value.length > 256)
      throw refuse('whose names have 1 to 128 characters, and values 256 at most');
    if (!characters.test(key) || !characters.test(value))
      throw refuse('which are of letters, numbers, spaces and any of _.:/=+-@');
    if (/^aws:/i.test(key)) throw refuse('whose names do not begin with "aws:"');
  }
}
