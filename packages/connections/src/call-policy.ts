import { classOf, isTransient, KeyferryError } from '@keyferry/core';
import { type ConnectContext, untilAborted } from '@keyferry/vaults';
import { bulkhead, DelegateBackoff, handleWhen, retry, wrap } from 'cockatiel';
import { countersOfRun } from './call-counts.ts';
import { withDeadline } from './deadline.ts';
import type { ConnectionLimits } from './limits.ts';
import { addTo, type CallStatistics } from './statistics.ts';

/**
 * How every call to one backend is made: retry around a slot around a deadline. A wait between attempts holds no slot.
 * A breaker's place is between retry and slot, where each attempt passes; a token bucket's is after the slot, so that
 * what waits for a token is bounded as well.
 */
export function createCallPolicy(limits: ConnectionLimits, statistics: CallStatistics): ConnectContext['call'] {
  const passing = handleWhen((error) => isTransient(classOf(error)));
  const backoff = new DelegateBackoff(({ attempt, result }: { attempt: number; result: object }) =>
    retryDelay(limits, attempt, 'error' in result ? result.error : null),
  );
  // Unreferenced, since the wait goes on when the caller has given up, and must not keep a process from ending.
  const retries = retry(passing, { maxAttempts: limits.attempts - 1, backoff }).dangerouslyUnref();
  const slots = bulkhead(limits.parallelism, Number.POSITIVE_INFINITY);
  const policy = wrap(retries, slots);

  return async (operation, signal, attempt) => {
    signal.throwIfAborted();
    const counters = countersOfRun();
    const once = async () => {
      signal.throwIfAborted();
      for (const counts of counters) counts[operation]++;
      try {
        const result = await withDeadline(limits.deadlineMs, signal, attempt);
        addTo(statistics, operation, 'ok');
        return result;
      } catch (error) {
        if (!signal.aborted) addTo(statistics, operation, classOf(error));
        throw error;
      }
    };
    return untilAborted(policy.execute(once, signal), signal);
  };
}

/**
 * Full jitter over a doubling span, so that many callers who failed together don't come back together. What the vault
 * asked to wait is waited before that.
 */
export function retryDelay(limits: ConnectionLimits, attempt: number, error: unknown): number {
  const span = Math.min(limits.retryMaxMs, limits.retryBaseMs * 2 ** (attempt - 1));
  const asked = error instanceof KeyferryError ? (error.retryAfterMs ?? 0) : 0;
  return Math.min(asked, limits.retryAfterCapMs) + Math.random() * span;
}
