import { hash } from 'node:crypto';
import { invalid } from './answer.ts';
import { integerOf, type Query } from './query.ts';

export interface Page<Item> {
  items: Item[];
  nextPageToken: string | null;
}

/**
 * The page that a query asks for. A token is good for the listing it came from and its filter alone. It names what the
 * page before ended with, so that what is deleted meanwhile shifts nothing.
 */
export function pageOf<Item>(
  all: readonly Item[],
  keyOf: (item: Item) => number,
  query: Query,
  listing: string,
  largest: number,
): Page<Item> {
  const asked = integerOf(query, 'pageSize') ?? 0;
  if (asked < 0) throw invalid('The page size must not be negative.');
  const size = asked === 0 ? largest : Math.min(asked, largest);
  const binding = hash('sha256', JSON.stringify([listing, query.fields.filter ?? '']), 'base64url').slice(0, 12);
  const token = query.fields.pageToken ?? '';
  const after = token === '' ? Number.POSITIVE_INFINITY : placeOf(token, binding);
  const start = all.findIndex((item) => keyOf(item) < after);
  const items = start === -1 ? [] : all.slice(start, start + size);
  const last = items.at(-1);
  const more = start !== -1 && start + size < all.length && last !== undefined;
  return { items, nextPageToken: more ? Buffer.from(`${binding}.${keyOf(last)}`).toString('base64url') : null };
}

function placeOf(token: string, binding: string): number {
  const [bound, place] = Buffer.from(token, 'base64url').toString().split('.');
  if (bound !== binding || !/^\d+$/.test(place ?? '')) throw invalid('The provided page token is invalid.');
  return Number(place);
}
