/** The emulator's time. Tests give their own `now`, in milliseconds since the epoch. */
export class Clock {
  readonly now: () => number;
  #last = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  /** Microseconds since the epoch; each stamp is later than the one before, also in one millisecond. */
  stamp(): number {
    this.#last = Math.max(this.#last + 1, this.now() * 1_000);
    return this.#last;
  }
}

/** Microseconds as the service writes a time. */
export function formatTime(microseconds: number): string {
  const milliseconds = Math.floor(microseconds / 1_000);
  const rest = String(microseconds - milliseconds * 1_000).padStart(3, '0');
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${rest}Z`;
}

/** Microseconds of a time that a client wrote, or null. */
export function parseTime(text: unknown): number | null {
  if (typeof text !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text))
    return null;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? null : milliseconds * 1_000;
}

/** Microseconds of a duration as Google's JSON has it, such as `3600s` or `1.5s`, or null. */
export function parseDuration(text: unknown): number | null {
  return typeof text === 'string' && /^\d+(\.\d{1,9})?s$/.test(text)
    ? Math.round(Number(text.slice(0, -1)) * 1e6)
    : null;
}
