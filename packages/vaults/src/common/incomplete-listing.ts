import { classOf, type ErrorCode, KeyferryError } from '@keyferry/core';

/**
 * What a listing that failed rejects with: `listing_incomplete`, of the class of what stopped it, unless that is of the
 * vault as a whole. `where` says how far it came, after "The listing is incomplete".
 */
export function incompleteListing(error: unknown, where: string, ofTheWhole: readonly ErrorCode[]): KeyferryError {
  const known = error instanceof KeyferryError ? error : null;
  if (known !== null && (known.code === 'egress_refused' || ofTheWhole.includes(known.code))) return known;
  const why = known === null ? 'A fault of our own stopped it.' : known.message;
  return new KeyferryError('listing_incomplete', `The listing is incomplete ${where}. ${why}`, {
    failureClass: classOf(error),
    ...(known?.retryAfterMs !== undefined && { retryAfterMs: known.retryAfterMs }),
  });
}
