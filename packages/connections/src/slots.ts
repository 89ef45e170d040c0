/** So soon after a halving, further refusals belong to calls that were under way already. */
const settleMs = 1_000;

/**
 * Bounds how many calls run at a time. The bound halves when the vault refuses for being asked too much, and grows back
 * by one for each round of calls that succeed.
 */
export class AdaptiveSlots {
  readonly #most: number;
  readonly #now: () => number;
  #limit: number;
  #running = 0;
  #waiting: (() => void)[] = [];
  #halvedAt = Number.NEGATIVE_INFINITY;

  constructor(most: number, now: () => number) {
    this.#most = most;
    this.#limit = most;
    this.#now = now;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** How many tasks would run at once. */
  get room(): number {
    return Math.max(0, this.limit - this.#running - this.#waiting.length);
  }

  /** Waits for a slot, unless there is one. Whoever has taken one gives it back. */
  take(): Promise<void> | undefined {
    if (this.#running >= this.limit) return new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    return undefined;
  }

  give(): void {
    this.#running--;
    this.#admit();
  }

  succeeded(): void {
    this.#limit = Math.min(this.#most, this.#limit + 1 / this.#limit);
  }

  throttled(): void {
    const now = this.#now();
    if (now < this.#halvedAt + settleMs) return;
    this.#halvedAt = now;
    this.#limit = Math.max(1, this.#limit / 2);
  }

  #admit(): void {
    while (this.#running < this.limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running++;
      next();
    }
  }
}
