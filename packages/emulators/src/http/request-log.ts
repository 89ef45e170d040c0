import type { RequestFacts } from './faults.ts';

export interface LoggedRequest extends RequestFacts {
  /** 0: no status was sent, because of a hang or a reset. */
  status: number;
}

/** Requests kept one by one; the counters go on beyond. */
const keptRequests = 20_000;

/** What was asked of the emulator, without values. */
export class RequestLog {
  #requests: LoggedRequest[] = [];
  #total = 0;
  #counts = new Map<string, number>();
  readonly #kindOf: (request: RequestFacts) => string;

  /** `kindOf` says under which name a request is counted. */
  constructor(kindOf: (request: RequestFacts) => string) {
    this.#kindOf = kindOf;
  }

  record(request: LoggedRequest): void {
    this.#total += 1;
    this.#requests.push(request);
    if (this.#requests.length >= 2 * keptRequests) this.#requests = this.#requests.slice(-keptRequests);
    const kind = this.#kindOf(request);
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  /** The newest requests, at least the last 20,000. */
  get all(): readonly LoggedRequest[] {
    return this.#requests;
  }

  get total(): number {
    return this.#total;
  }

  /** Requests by kind. */
  get counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  reset(): void {
    this.#requests = [];
    this.#total = 0;
    this.#counts = new Map();
  }
}
