import { Buffer } from 'node:buffer';
import type { Page } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import type { Keyring } from '@keyferry/store';
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
    throw notGiven();
  }
}

const notGiven = () =>
  new KeyferryError('request_invalid', 'cursor: it is not one that this list has given.', {
    details: { field: 'cursor' },
  });

/** Cursors of a list that may go on after something that whoever asks must not learn of. */
export interface Cursors<Place> {
  /** Rejects with `request_invalid`. */
  decode(cursor: string): Promise<Place>;
  /** After what was shown. */
  shown(place: Place): string;
  /** After what was not: sealed, and as long whatever it is. */
  hidden(place: Place): Promise<string>;
}

/** No other cursor begins with it. */
const sealMark = '.';
/** A path of 1,024 bytes, and what JSON needs around it. */
const sealedBytes = 1_100;

export function cursorsOf<Place>(
  { keyring, tenantId }: { keyring: Keyring; tenantId: string },
  { list, place }: { list: string; place: z.ZodType<Place> },
): Cursors<Place> {
  const binding = `cursor:${tenantId}:${list}`;
  return {
    async decode(cursor) {
      if (!cursor.startsWith(sealMark)) return decodeCursor(cursor, place);
      const [, encryptionKeyId = '', sealed = ''] = cursor.split(sealMark);
      const keys = await keyring.ofTenant(tenantId);
      try {
        const ciphertext = Buffer.from(sealed, 'base64url');
        const opened = await keys.unseal({ ciphertext, encryptionKeyId }, binding);
        return place.parse(JSON.parse(opened.toString('utf8')));
      } catch {
        throw notGiven();
      }
    },
    shown: encodeCursor,
    async hidden(of) {
      const text = Buffer.from(JSON.stringify(of), 'utf8');
      // White space after JSON means nothing.
      const padded = Buffer.alloc(Math.ceil(text.length / sealedBytes) * sealedBytes, ' ');
      text.copy(padded);
      const { ciphertext, encryptionKeyId } = (await keyring.ofTenant(tenantId)).seal(padded, binding);
      return ['', encryptionKeyId, ciphertext.toString('base64url')].join(sealMark);
    },
  };
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
