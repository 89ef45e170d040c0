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

  record(request: LoggedRequest): void {
    this.#total += 1;
    this.#requests.push(request);
    if (this.#requests.length >= 2 * keptRequests) this.#requests = this.#requests.slice(-keptRequests);
    const kind = kindOf(request);
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  /** The newest requests, at least the last 20,000. */
  get all(): readonly LoggedRequest[] {
    return this.#requests;
  }

  get total(): number {
    return this.#total;
  }

  /** Requests by kind: login, token, system, data, metadata, list, scan, other. */
  get counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  reset(): void {
    this.#requests = [];
    this.#total = 0;
    this.#counts = new Map();
  }
}

function kindOf({ path, operation }: LoggedRequest): string {
  if (path.startsWith('auth/token/')) return 'token';
  if (path.endsWith('/login')) return 'login';
  if (path.startsWith('sys/')) return 'system';
  if (operation === 'list' || operation === 'scan') return operation;
  if (path.includes('/metadata/')) return 'metadata';
  return path.includes('/data/') ? 'data' : 'other';
}
