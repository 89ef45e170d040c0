/** When a backend is due. Times are milliseconds since the epoch, intervals are seconds. */

/** After a stop, overdue backends are spread over their interval, but over no more than this. */
const catchUpWindowSeconds = 300;
/** The longest that an interval shorter than this is stretched to while a vault is down. */
const longestBackoffSeconds = 300;

/** A whole number below 2^31 that depends on the id alone (FNV-1a): the backend's place in its interval. */
export function phaseOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) {
    hash ^= id.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) & 0x7fffffff;
}

/** The first moment after `now` at which a backend with this phase is due: always the same place in the interval. */
export function nextSlot(now: number, intervalSeconds: number, phase: number): number {
  const interval = intervalSeconds * 1000;
  const offset = phase % interval;
  return (Math.floor((now - offset) / interval) + 1) * interval + offset;
}

/** Seconds over which work that was missed during a stop is spread. */
export function catchUpWindow(intervalSeconds: number): number {
  return Math.min(intervalSeconds, catchUpWindowSeconds);
}

/**
 * When the next full cycle is due after one has ended. A backend that can't be reached waits twice as long after
 * each failure in a row, up to five minutes; one whose interval is longer than that waits a whole interval.
 */
export function nextDue(input: {
  now: number;
  intervalSeconds: number;
  phase: number;
  connectionFailures: number;
}): number {
  const slot = nextSlot(input.now, input.intervalSeconds, input.phase);
  if (input.connectionFailures === 0) return slot;
  const doubled = input.intervalSeconds * 2 ** Math.min(input.connectionFailures, 16);
  const backoff = Math.max(input.intervalSeconds, Math.min(doubled, longestBackoffSeconds));
  return Math.max(slot, input.now + backoff * 1000);
}
