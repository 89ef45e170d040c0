import { randomUUID } from 'node:crypto';
import { remoteHash } from '@keyferry/store';
import type { Everything } from './one-of-everything.ts';

const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** What a tenant has under other ids and names, of which there is nothing anywhere; and a text with these in place of its own. */
export function phantomOf(theirs: Everything): { phantom: Everything; renamed(text: string): string } {
  const mark = 'phantom';
  const ids = new Map<string, string>();
  const idFor = (id: string) => ids.get(id) ?? ids.set(id, randomUUID()).get(id) ?? id;
  const hash = remoteHash(`${mark}/remote`);
  const renamed = (text: string) => text.replaceAll(theirs.mark, mark).replace(uuid, idFor);
  const other = (value: unknown): unknown => {
    if (typeof value === 'string') return renamed(value);
    if (Array.isArray(value)) return value.map(other);
    if (Buffer.isBuffer(value)) return value.equals(theirs.hash) ? hash : value;
    if (value === null || typeof value !== 'object' || value instanceof Date || 'seal' in value) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, other(member)]));
  };
  const phantom = other(theirs) as Everything;
  const known = new Map([...ids, [theirs.hash.toString('hex'), hash.toString('hex')]]);
  return {
    phantom,
    // Ids of mine are told as they are.
    renamed: (text) =>
      [...known].reduce((all, [from, to]) => all.replaceAll(from, to), text.replaceAll(theirs.mark, mark)),
  };
}
