/** Waits so long, or rejects with the signal's reason. A wait keeps no process from ending. */
export function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, milliseconds).unref();
    signal.addEventListener('abort', abort, { once: true });
  });
}
