/**
 * Makes a function that gives a look which has not begun when it is asked for: one that was under way may have seen what
 * was before. Such a look is shared by all who wait for one, and there is one at a time; it belongs to none of them, so
 * its signal is never aborted.
 */
export function freshLooks<Seen>(look: (signal: AbortSignal) => Promise<Seen>): () => Promise<Seen> {
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<Seen> | null = null;
  return () => {
    next ??= last.then(() => {
      next = null;
      const begun = look(new AbortController().signal);
      last = begun.catch(() => {});
      return begun;
    });
    return next;
  };
}
