/**
 * How old an answer of Keyferry may be, in milliseconds. Each of its API processes asks Postgres about anything that it
 * has not heard of for so long; so one that we ask may lag behind the one that tells us of changes.
 */
const peerLagMs = 2_000;

/** A reading takes no longer than this, in milliseconds: what was told since it began still makes a difference when it ends. */
export const longestReadingMs = 20_000;

/** What was told of a connection that is this old, in milliseconds, may have been missed: messages come once a second. */
export const trustMs = 2_000;

/**
 * Until when a value may be given without asking again. `askedAt` is when its reading began; `changedAt` when it was last
 * told that what was read before is not of now any more (for all: hello, flush; for its path: changed).
 *
 * A value that was asked for before that is of no use. One that was asked for shortly after may be of a process that had
 * not noticed yet, and is asked for once more when all must have.
 */
export function validUntil(askedAt: number, changedAt: number, ttlMs: number): number {
  if (askedAt < changedAt) return Number.NEGATIVE_INFINITY;
  const settled = changedAt + peerLagMs;
  return askedAt >= settled ? askedAt + ttlMs : Math.min(askedAt + ttlMs, settled);
}

/** What was told of paths, for as long as it makes a difference. */
export interface Told {
  /** That everything may be another. */
  all(at: number): void;
  paths(paths: readonly string[], at: number): void;
  lastOf(path: string): number;
  /** Forgets what all processes of Keyferry must have noticed before any reading that is still under way began. */
  forget(at: number): void;
}

export function createTold(): Told {
  let everything = Number.NEGATIVE_INFINITY;
  const byPath = new Map<string, number>();
  return {
    all: (at) => {
      everything = at;
    },
    paths: (paths, at) => {
      for (const path of paths) byPath.set(path, at);
    },
    lastOf: (path) => Math.max(everything, byPath.get(path) ?? Number.NEGATIVE_INFINITY),
    forget: (at) => {
      for (const [path, then] of byPath) if (at - then > peerLagMs + longestReadingMs) byPath.delete(path);
    },
  };
}
