/** A value that was read. */
export interface Entry {
  readonly path: string;
  readonly value: string;
  /** The value as `resolve` gives it: made once, since a read of it must cost next to nothing. */
  readonly ready: Promise<string>;
  /** When its reading began. */
  readonly askedAt: number;
  /** Until when it may be given without asking again. */
  validUntil: number;
}

/** Values by reference, in memory alone. */
export interface Entries {
  get(reference: string): Entry | undefined;
  set(reference: string, entry: Entry): void;
  delete(reference: string): void;
  /** Takes those of these paths out. */
  deletePaths(paths: ReadonlySet<string>): void;
  /** Has each asked for again before it is given. */
  doubtAll(): void;
  clear(): void;
}

export function createEntries(most: number): Entries {
  const entries = new Map<string, Entry>();
  return {
    get: (reference) => entries.get(reference),
    set(reference, entry) {
      // Behind the others, so that the one that was read the longest ago comes first.
      entries.delete(reference);
      entries.set(reference, entry);
      if (entries.size <= most) return;
      const [oldest] = entries.keys();
      if (oldest !== undefined) entries.delete(oldest);
    },
    delete: (reference) => void entries.delete(reference),
    deletePaths(paths) {
      for (const [reference, { path }] of entries) if (paths.has(path)) entries.delete(reference);
    },
    doubtAll() {
      for (const entry of entries.values()) entry.validUntil = Number.NEGATIVE_INFINITY;
    },
    clear: () => entries.clear(),
  };
}
