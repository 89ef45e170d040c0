const isoTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(?<offset>Z|[+-]\d\d:?\d\d)?)?$/i;

/**
 * An ISO 8601 date or time, in UTC unless it says otherwise: the end that an owner has written beside a secret, under
 * `expires_at`. Null for anything else, for what a person wrote there need not be one, and for years that a database
 * can't hold.
 */
export function timeOf(text: string | undefined): Date | null {
  const match = isoTime.exec(text ?? '');
  if (match === null) return null;
  const [iso, clock] = match;
  // Without Z, a time would be one of the zone that this process happens to run in.
  const time = new Date(clock !== undefined && match.groups?.offset === undefined ? `${iso}Z` : iso);
  const year = time.getUTCFullYear();
  return year >= 1 && year <= 9999 ? time : null;
}

/** The one of two ends that comes first; null is no end. */
export function earlier(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}
