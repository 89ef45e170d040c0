import { classOf, vaultFailure } from '@keyferry/core';
import { untilAborted } from '../common/until-aborted.ts';
import type { CallOperation, ConnectContext } from '../contract.ts';
import { failureOf, isClockSkew } from './errors.ts';

/** One request by the SDK. What it throws becomes a failure of ours; `what` goes after "Could not". */
export type Caller = <T>(
  operation: CallOperation,
  what: string,
  signal: AbortSignal,
  send: (options: { abortSignal: AbortSignal }) => Promise<T>,
) => Promise<T>;

/** Nothing is called any more once `life` is over. */
export function createCaller(context: ConnectContext, life: AbortSignal): Caller {
  return async (operation, what, signal, send) => {
    let skewed = false;
    const call = () =>
      context.call(operation, signal, async (attempt) => {
        life.throwIfAborted();
        try {
          return await untilAborted(send({ abortSignal: attempt }), attempt);
        } catch (error) {
          skewed = isClockSkew(error);
          if (attempt.aborted) throw ending(attempt.reason, what);
          throw life.aborted ? life.reason : failureOf(error, what, context.now());
        }
      });
    try {
      return await call();
    } catch (error) {
      // The refusal told the service's time, so that the next signature is right, however wrong this machine's clock.
      if (skewed && !signal.aborted) return call();
      throw error;
    }
  };
}

/** A deadline's reason knows nothing of what was attempted; any other is the caller's own and passed on. */
export function ending(reason: unknown, what: string): unknown {
  return classOf(reason) === 'timeout'
    ? vaultFailure('timeout', `Could not ${what}: AWS did not answer in time.`)
    : reason;
}
