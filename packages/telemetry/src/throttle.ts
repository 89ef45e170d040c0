/**
 * Lets the first call of each key through, and one more for every interval in which there were others, with their number.
 * A Redis that is out of memory makes a worker report thousands of errors a second.
 */
export function throttled(
  intervalMs: number,
  now: () => number,
  report: (key: string, suppressed: number) => void,
): (key: string) => void {
  const seen = new Map<string, { since: number; suppressed: number }>();
  return (key) => {
    const entry = seen.get(key);
    if (entry && now() - entry.since < intervalMs) {
      entry.suppressed++;
      return;
    }
    seen.set(key, { since: now(), suppressed: 0 });
    report(key, entry?.suppressed ?? 0);
  };
}
