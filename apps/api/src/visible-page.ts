import type { Page } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { getBackend, type Tx } from '@keyferry/store';
import type { FastifyRequest } from 'fastify';
import type { Cursors } from './cursor.ts';

/** Pages of what whoever asks may see: the rest is as if it weren't there. */

/** So many rows are looked at for one page. Where nearly all are hidden it ends short, with a cursor that goes on. */
const mostLookedAt = 10_000;
const rowsAtOnce = 1_000;

interface Wanted<Row, Item, Place> {
  limit: number;
  /** What the cursor says. */
  after: Place | null;
  cursors: Cursors<Place>;
  /** Rows after a place, or from the first. */
  read(after: Place | null, most: number): Promise<Row[]>;
  placeOf(row: Row): Place;
  isVisible(row: Row): boolean;
  show(row: Row): Item;
}

export async function visiblePage<Row, Item, Place>(wanted: Wanted<Row, Item, Place>): Promise<Page<Item>> {
  const { limit, cursors, read, placeOf, isVisible, show } = wanted;
  const shown: Row[] = [];
  const items = () => shown.map(show);
  let { after } = wanted;
  let most = limit + 1;
  for (let lookedAt = 0; ; most = rowsAtOnce) {
    const rows = await read(after, most);
    for (const row of rows) {
      if (!isVisible(row)) continue;
      const last = shown.at(-1);
      if (shown.length === limit && last !== undefined)
        return { items: items(), next_cursor: cursors.shown(placeOf(last)) };
      shown.push(row);
    }
    const last = rows.at(-1);
    if (rows.length < most || last === undefined) return { items: items(), next_cursor: null };
    after = placeOf(last);
    lookedAt += rows.length;
    if (lookedAt >= mostLookedAt) return { items: items(), next_cursor: await cursors.hidden(after) };
  }
}

/**
 * The id of the backend that a list is narrowed to. Who doesn't see all backends learns of none by its name: null is for a list
 * without anything. Throws `backend_not_found` for the others.
 */
export async function backendToList({ identity }: FastifyRequest, tx: Tx, idOrName: string): Promise<string | null> {
  try {
    return (await getBackend(tx, idOrName)).id;
  } catch (error) {
    const unknown = error instanceof KeyferryError && error.code === 'backend_not_found';
    if (unknown && !identity.scopes.has('federation:read')) return null;
    throw error;
  }
}
