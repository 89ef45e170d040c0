/**
 * Runs tasks, at most `limit` at a time, and yields what each gives, in the order they end. `next` is asked for a task
 * whenever there is room; it answers undefined while it has none, and is asked again after each task that ends, since
 * that one may have brought more. No task is begun while `limit` results wait to be taken, so that memory is bounded
 * by whoever consumes. A task that rejects ends the whole; so does the consumer by stopping, and the signal. Tasks get
 * a signal that is aborted then, and all have ended before this does.
 */
export async function* gather<Result>(
  limit: number,
  signal: AbortSignal,
  next: () => ((signal: AbortSignal) => Promise<Result>) | undefined,
): AsyncGenerator<Result, void, void> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const abort = () => stop.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });

  const running = new Set<Promise<void>>();
  const results: Result[] = [];
  let failure: { error: unknown } | null = null;
  let wake = Promise.withResolvers<void>();

  const begin = (task: (signal: AbortSignal) => Promise<Result>) => {
    const run: Promise<void> = task(stop.signal)
      .then(
        (result) => void results.push(result),
        (error: unknown) => {
          failure ??= { error };
        },
      )
      .finally(() => {
        running.delete(run);
        wake.resolve();
      });
    running.add(run);
  };

  try {
    for (;;) {
      wake = Promise.withResolvers();
      while (failure === null && running.size < limit && results.length < limit) {
        const task = next();
        if (task === undefined) break;
        begin(task);
      }
      if (failure !== null) throw (failure as { error: unknown }).error;
      const result = results.shift();
      if (result !== undefined) yield result;
      else if (running.size === 0) return;
      else await wake.promise;
      signal.throwIfAborted();
    }
  } finally {
    signal.removeEventListener('abort', abort);
    stop.abort();
    await Promise.all(running);
  }
}
