import { type FailureClass, isTransient } from './errors.ts';

/** How a failed stage or shard is tried again. Times are milliseconds. */

export const maxStageAttempts = 4;
export const firstRetryDelayMs = 1_000;
const longestDelayMs = 60_000;

export interface RetryWait {
  /** What the vault asked for. */
  askedMs?: number | undefined;
  /** The wait after the first attempt; each further one is four times as long. */
  firstMs?: number | undefined;
}

/**
 * The wait before the next attempt, or null when there is none: only what may pass by itself is tried again.
 * `null` as class stands for a fault of our own or of the services below, which may pass too, and so may a conflict:
 * whoever wrote at the same time has written by then.
 */
export function stageRetryDelay(
  failureClass: FailureClass | null,
  attempts: number,
  wait: RetryWait = {},
): number | null {
  if (attempts >= maxStageAttempts) return null;
  if (failureClass !== null && failureClass !== 'conflict' && !isTransient(failureClass)) return null;
  return Math.min(
    longestDelayMs,
    Math.max(wait.askedMs ?? 0, (wait.firstMs ?? firstRetryDelayMs) * 4 ** (attempts - 1)),
  );
}
