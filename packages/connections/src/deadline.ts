import { vaultFailure } from '@keyferry/core';

/** Runs an attempt under a signal of its own, which is aborted by the caller's or when the time is over. */
export async function withDeadline<Result>(
  deadlineMs: number,
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const own = new AbortController();
  const abort = () => own.abort(signal.reason);
  const timer = setTimeout(() => {
    own.abort(vaultFailure('timeout', `The vault did not answer within ${deadlineMs} ms.`));
  }, deadlineMs);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await attempt(own.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
