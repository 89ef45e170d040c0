/** What a request is told by, for matching and for the log. Never a value. */
export interface RequestFacts {
  method: string;
  /** What it is about, as the vault's own emulator says: a path below an API's root, decoded, or a secret's name. */
  path: string;
  /** The API's operation, in the vault's own word; null for what isn't the protocol's. */
  operation: string | null;
  /** Where a vault has some: the root's is empty. */
  namespace: string;
}

export type FaultEffect =
  /** An answer of the fault's own: an object is sent as JSON, a string as it is. */
  | { kind: 'status'; status: number; body?: string | object; headers?: Record<string, string> }
  /** Never answers. */
  | { kind: 'hang' }
  /** Sends headers and half of the body, then nothing. */
  | { kind: 'hang_in_body' }
  /** Resets the connection. */
  | { kind: 'reset' }
  /** Resets it in the middle of the body. */
  | { kind: 'reset_in_body' }
  /** Announces the whole length, sends half and ends the connection properly. */
  | { kind: 'truncate' }
  /** Sends half of the body as if it were all: broken JSON of the right length. */
  | { kind: 'cut' }
  /** 200 with something that isn't the protocol; not JSON unless told otherwise. */
  | { kind: 'garbage'; body?: string; contentType?: string }
  /** Answers properly, but later. */
  | { kind: 'slow'; delayMs: number };

export interface Fault {
  effect: FaultEffect;
  method?: string;
  operation?: string;
  /** `*` stands for any rest, also in the middle. */
  path?: string;
  /** Further conditions; within one process alone. */
  when?: (request: RequestFacts) => boolean;
  /** Lets this many matching requests pass first. */
  skip?: number;
  /** Strikes each n-th matching request. */
  every?: number;
  /** Ends after this many strikes. */
  times?: number;
}

export interface FaultHandle {
  /** Requests struck so far. */
  readonly hits: number;
  remove(): void;
}

interface Entry {
  fault: Fault;
  pattern: RegExp | null;
  seen: number;
  hits: number;
}

/** Faults that wait for their requests. The first one that strikes wins. */
export class Faults {
  readonly #entries = new Set<Entry>();

  inject(fault: Fault): FaultHandle {
    const pattern = fault.path === undefined ? null : toPattern(fault.path);
    const entry: Entry = { fault, pattern, seen: 0, hits: 0 };
    this.#entries.add(entry);
    return {
      get hits() {
        return entry.hits;
      },
      remove: () => void this.#entries.delete(entry),
    };
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The effect that strikes this request. */
  take(request: RequestFacts): FaultEffect | null {
    for (const entry of this.#entries) {
      if (!matches(entry, request)) continue;
      entry.seen += 1;
      const { skip = 0, every = 1, times = Number.POSITIVE_INFINITY, effect } = entry.fault;
      if (entry.hits >= times || entry.seen <= skip || (entry.seen - skip) % every !== 0) continue;
      entry.hits += 1;
      return effect;
    }
    return null;
  }
}

function matches({ fault, pattern }: Entry, request: RequestFacts): boolean {
  return (
    (fault.method === undefined || fault.method === request.method) &&
    (fault.operation === undefined || fault.operation === request.operation) &&
    (pattern === null || pattern.test(request.path)) &&
    (fault.when === undefined || fault.when(request))
  );
}

function toPattern(glob: string): RegExp {
  const parts = glob.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
