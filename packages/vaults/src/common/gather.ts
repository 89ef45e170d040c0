import type { ConnectContext } from '../contract.ts';
import { onAbort } from './on-abort.ts';

/** A task that waits for its turn costs memory; what is not begun costs none. */
const inLine = 8;

/**
 * Runs tasks that make calls, as many at a time as there is room for on the connection, and yields what each gives, in
 * the order they end. `next` is asked for a task whenever there is room; it answers undefined while it has none, and is
 * asked again after each task that ends, since that one may have brought more. No task is begun while as many results
 * as there may be calls wait to be taken, so that memory is bounded by whoever consumes. A task that rejects ends the whole; so does the consumer by stopping, and the signal. Tasks get
 * a signal that is aborted then, and all have ended before this does.
 */
export async function* gather<Result>(
  { parallelism, room }: Pick<ConnectContext, 'parallelism' | 'room'>,
  signal: AbortSignal,
  next: () => ((signal: AbortSignal) => Promise<Result>) | undefined,
): AsyncGenerator<Result, void, void> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const forget = onAbort(signal, () => stop.abort(signal.reason));

  const running = new Set<Promise<void>>();
  const results: Result[] = [];
  let failure: { error: unknown } | null = null;
  let wake = Promise.withResolvers<void>();

  const begin = (task: (signal: AbortSignal) => Promise<Result>) => {
    const ended = () => {
      running.delete(run);
      wake.resolve();
    };
    const run: Promise<void> = task(stop.signal).then(
      (result) => {
        results.push(result);
        ended();
      },
      (error: unknown) => {
        failure ??= { error };
        ended();
      },
    );
    running.add(run);
  };

  try {
    for (;;) {
      wake = Promise.withResolvers();
      // Who shares a connection with others that fill it has a few tasks in line, so that it gets its turns.
      const most = Math.min(parallelism, running.size + Math.max(room(), inLine - running.size));
      while (failure === null && running.size < most && results.length < parallelism) {
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
    forget();
    stop.abort();
    await Promise.all(running);
  }
}
