import { onAbort } from '@keyferry/vaults';

/** Waits so long, or rejects with the signal's reason. A wait keeps no process from ending. */
export function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(() => {
      forget();
      resolve();
    }, milliseconds).unref();
    const forget = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
