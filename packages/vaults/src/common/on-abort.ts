const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Has `run` called once when the signal is aborted, unless what this returns is called before. Many calls wait on one
 * signal here, and a signal searches all its listeners whenever one comes or goes: these share one.
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const runs = waiting.get(signal) ?? listen(signal);
  const own = () => run();
  runs.add(own);
  return () => void runs.delete(own);
}

function listen(signal: AbortSignal): Set<() => void> {
  const runs = new Set<() => void>();
  waiting.set(signal, runs);
  signal.addEventListener('abort', () => runs.forEach((run) => void run()), { once: true });
  return runs;
}
