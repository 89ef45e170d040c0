export interface QuotaSettings {
  /** Transactions in ten seconds, whatever they are; those that create count here too. */
  transactions?: number;
  /** Secrets that are written in ten seconds. */
  creates?: number;
  /** As it is told to whoever goes beyond: the seconds until the window ends by default, null for not at all. */
  retryAfter?: string | null;
}

/** What the vendor publishes for a vault in a region. */
const published: QuotaSettings = { transactions: 4_000, creates: 300 };

const windowMs = 10_000;

/** A limit in windows of ten seconds by the emulator's clock. */
export class VaultQuota {
  readonly #now: () => number;
  #settings: QuotaSettings | null = null;
  #window = -1;
  #used = { transactions: 0, creates: 0 };

  constructor(now: () => number) {
    this.#now = now;
  }

  set(settings: QuotaSettings | 'published' | null): void {
    this.#settings = settings === 'published' ? published : settings;
    this.#window = -1;
  }

  /** Null if the request may pass, else the headers of its refusal. */
  refuse(creates: boolean): Record<string, string> | null {
    if (this.#settings === null) return null;
    const now = this.#now();
    const window = Math.floor(now / windowMs);
    if (window !== this.#window) this.#used = { transactions: 0, creates: 0 };
    this.#window = window;
    const {
      transactions = Number.POSITIVE_INFINITY,
      creates: most = Number.POSITIVE_INFINITY,
      retryAfter,
    } = this.#settings;
    this.#used.transactions += 1;
    if (creates) this.#used.creates += 1;
    if (this.#used.transactions <= transactions && (!creates || this.#used.creates <= most)) return null;
    const left = String(Math.ceil(((window + 1) * windowMs - now) / 1000));
    return retryAfter === null ? {} : { 'retry-after': retryAfter ?? left };
  }
}
