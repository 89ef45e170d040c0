export interface QuotaSettings {
  /** Requests a second, counted by the emulator's clock. */
  rate: number;
  /** Real servers send Retry-After only if they are told to. */
  retryAfter?: boolean;
}

/** A rate limit in windows of one second, over whatever one of these is made for. */
export class Quota {
  readonly #now: () => number;
  #settings: QuotaSettings | null = null;
  #window = -1;
  #used = 0;

  /** `now` is in milliseconds since the epoch. */
  constructor(now: () => number) {
    this.#now = now;
  }

  set(settings: QuotaSettings | null): void {
    this.#settings = settings;
    this.#window = -1;
  }

  /** Null if the request may pass, else the headers of its refusal. */
  refuse(): Record<string, string> | null {
    if (this.#settings === null) return null;
    const window = Math.floor(this.#now() / 1000);
    if (window !== this.#window) {
      this.#window = window;
      this.#used = 0;
    }
    this.#used += 1;
    if (this.#used <= this.#settings.rate) return null;
    return this.#settings.retryAfter === true ? { 'retry-after': '1' } : {};
  }
}
