import { formatTime } from './time.ts';

/** The emulator's time. Tests give their own `now`, in milliseconds since the epoch. */
export class Clock {
  readonly now: () => number;
  #ticks = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  /** The current time as the server writes it; two writes in one millisecond differ in the digits below it. */
  stamp(): string {
    this.#ticks = (this.#ticks + 1) % 1_000_000;
    return formatTime(this.now(), this.#ticks);
  }
}
