import { classOf, isTransient, KeyferryError } from '@keyferry/core';
import { type CallOperation, type ConnectContext, untilAborted } from '@keyferry/vaults';
import { DelegateBackoff, handleWhen, retry } from 'cockatiel';
import { createBreaker } from './breaker.ts';
import { countersOfRun } from './call-counts.ts';
import { Deadline } from './deadline.ts';
import type { ConnectionLimits } from './limits.ts';
import { AdaptiveSlots } from './slots.ts';
import { addTo, type CallStatistics } from './statistics.ts';
import type { TokenBucket } from './token-bucket.ts';
import { wait } from './wait.ts';

export interface CallPolicyOptions {
  limits: ConnectionLimits;
  statistics: CallStatistics;
  /** The limit that an operation counts against, if there is one. */
  bucketOf: (operation: CallOperation) => TokenBucket | undefined;
  now: () => number;
}

/**
 * How every call to one backend is made: retry around breaker around a slot around a token around a deadline. A wait
 * between attempts holds no slot; one for a token does, so that what waits for tokens is bounded as well.
 *
 * A refusal for being asked too much slows down all calls of the connection, and where limits are shared also those of
 * other processes, for as long as the vault has asked for.
 */
export function createCallPolicy({
  limits,
  statistics,
  bucketOf,
  now,
}: CallPolicyOptions): Pick<ConnectContext, 'call' | 'room'> {
  // A vault that is let alone is not waited for: whoever asks comes back later.
  const passing = handleWhen((error) => isTransient(classOf(error)) && !isSuspended(error));
  const backoff = new DelegateBackoff(({ attempt, result }: { attempt: number; result: object }) =>
    retryDelay(limits, attempt, 'error' in result ? result.error : null),
  );
  // Unreferenced, since the wait goes on when the caller has given up, and must not keep a process from ending.
  const retries = retry(passing, { maxAttempts: limits.attempts - 1, backoff }).dangerouslyUnref();
  const breaker = createBreaker(limits);
  const slots = new AdaptiveSlots(limits.parallelism, now);
  let pausedUntil = Number.NEGATIVE_INFINITY;

  function slowDown(error: unknown, bucket: TokenBucket | undefined): void {
    slots.throttled();
    const askedMs = error instanceof KeyferryError ? error.retryAfterMs : undefined;
    if (askedMs === undefined) return;
    const pauseMs = Math.min(askedMs, limits.retryAfterCapMs);
    pausedUntil = Math.max(pausedUntil, now() + pauseMs);
    // Without Redis the pause is this process's alone.
    bucket?.pause(pauseMs).catch(() => {});
  }

  const call: ConnectContext['call'] = async (operation, signal, attempt) => {
    signal.throwIfAborted();
    const counters = countersOfRun();
    const bucket = bucketOf(operation);
    const once = async () => {
      await slots.take();
      try {
        const pauseMs = pausedUntil - now();
        if (pauseMs > 0) await wait(pauseMs, signal);
        if (bucket) await bucket.take(signal);
        signal.throwIfAborted();
        for (const counts of counters) counts[operation]++;
        using deadline = new Deadline(limits.deadlineMs, signal);
        const result = await attempt(deadline.signal);
        addTo(statistics, operation, 'ok');
        slots.succeeded();
        return result;
      } catch (error) {
        if (!signal.aborted) addTo(statistics, operation, classOf(error));
        if (classOf(error) === 'throttled') slowDown(error, bucket);
        throw error;
      } finally {
        slots.give();
      }
    };
    return untilAborted(
      retries.execute(() => breaker.execute(once), signal),
      signal,
    );
  };
  return { call, room: () => slots.room };
}

const isSuspended = (error: unknown) => error instanceof KeyferryError && error.code === 'vault_suspended';

/**
 * Full jitter over a doubling span, so that many callers who failed together don't come back together. What the vault
 * asked to wait is waited before that.
 */
export function retryDelay(limits: ConnectionLimits, attempt: number, error: unknown): number {
  const span = Math.min(limits.retryMaxMs, limits.retryBaseMs * 2 ** (attempt - 1));
  const asked = error instanceof KeyferryError ? (error.retryAfterMs ?? 0) : 0;
  return Math.min(asked, limits.retryAfterCapMs) + Math.random() * span;
}
