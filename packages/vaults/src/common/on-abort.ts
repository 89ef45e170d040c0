const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Has `run` called once when the signal is aborted, unless what this returns is called before. Many calls wait on one
 * signal here, and a signal searches all its listeners whenever one comes or goes: these share one.
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  let runs = waiting.get(signal);
  if (!runs) {
    const all = new Set<() => void>();
    signal.addEventListener('abort', () => all.forEach((one) => void one()), { once: true });
    waiting.set(signal, all);
    runs = all;
  }
  const own = () => run();
  runs.add(own);
  return () => void waiting.get(signal)?.delete(own);
}
