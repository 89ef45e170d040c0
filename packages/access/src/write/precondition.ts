import { isServed, KeyferryError } from '@keyferry/core';
import type { WritableKey } from '@keyferry/store';
import { etagMatches, storedEtag } from '../etag.ts';
import type { Conditions } from './request.ts';

/**
 * Refuses a request whose conditions the key doesn't fulfil, as RFC 9110, 13.1 has them; a key that isn't served is none.
 * Throws `precondition_failed`.
 */
export function refuseUnmet(
  path: string,
  key: WritableKey | null,
  { ifMatch, ifNoneMatch, blind }: Conditions & { blind?: boolean },
  now: Date,
): void {
  const current = key && isServed(key, now) ? storedEtag(key.id, key.version) : null;
  // A mark of weakness says that the value may be another one after all.
  const isSame = (header: string) => current !== null && !/^\s*W\//.test(header) && etagMatches(header, current);
  const refuse = (why: string) =>
    new KeyferryError(
      'precondition_failed',
      `"${path}" was not written: ${blind ? 'the conditions of the request are not fulfilled' : why}.`,
    );
  if (ifMatch !== null && !isSame(ifMatch))
    throw refuse(current === null ? 'there is no such key' : 'it has another version than If-Match says');
  if (ifNoneMatch !== null && current !== null && etagMatches(ifNoneMatch, current))
    throw refuse(ifNoneMatch.trim() === '*' ? 'there is such a key' : 'it has a version that If-None-Match names');
}
