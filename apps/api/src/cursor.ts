import { Buffer } from 'node:buffer';
import type { Page } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import type { z } from 'zod';
import { assertStorable } from './storable-text.ts';

/** Cursors are opaque to clients: the place after which a list goes on, as JSON in base64url. */

/** Throws `request_invalid` for anything that `encodeCursor` has not made for this list. */
export function decodeCursor<Place>(cursor: string, place: z.ZodType<Place>): Place {
  try {
    const decoded: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    assertStorable(decoded);
    return place.parse(decoded);
  } catch {
    throw new KeyferryError('request_invalid', 'cursor: it is not one that this list has given.', {
      details: { field: 'cursor' },
    });
  }
}

/** One page out of rows that were read with `limit + 1`: whether there are more is known by the one too many. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  show: (row: Row) => Item,
  placeOf: (row: Row) => unknown,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(show),
    next_cursor: rows.length > limit && last !== undefined ? encodeCursor(placeOf(last)) : null,
  };
}

const encodeCursor = (place: unknown) => Buffer.from(JSON.stringify(place), 'utf8').toString('base64url');
