import { classOf, KeyferryError, vaultFailure } from '@keyferry/core';
import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  noJitterGenerator,
} from 'cockatiel';
import type { ConnectionLimits } from './limits.ts';

export interface Breaker {
  /** Makes a call, or rejects with `vault_suspended` without making it. */
  execute<Result>(call: () => Promise<Result>): Promise<Result>;
}

/** Lets a vault alone that fails again and again. One call at a time then finds out whether it is back. */
export function createBreaker(limits: ConnectionLimits): Breaker {
  // A caller who gives up on the one call that finds out has found out nothing.
  const counts = handleWhen(
    (error) => isOutage(error) || (policy.state === CircuitState.HalfOpen && !(error instanceof KeyferryError)),
  );
  const policy = circuitBreaker(counts, {
    breaker: new ConsecutiveBreaker(limits.breakerFailures),
    halfOpenAfter: new ExponentialBackoff({
      initialDelay: limits.breakerOpenMs,
      maxDelay: limits.breakerOpenMaxMs,
      generator: noJitterGenerator,
    }),
  });
  return {
    async execute(call) {
      const outcome = await policy.execute(() => call().then((result) => ({ result }), answered)).catch(suspended);
      if ('error' in outcome) throw outcome.error;
      return outcome.result;
    },
  };

  function suspended(error: unknown): never {
    if (!(error instanceof BrokenCircuitError)) throw error;
    const seconds = (milliseconds: number) => Math.max(1, Math.round(milliseconds / 1000));
    throw vaultFailure(
      'unavailable',
      `The vault was not asked: it failed ${limits.breakerFailures} times in a row and is let alone for ${seconds(limits.breakerOpenMs)} to ${seconds(limits.breakerOpenMaxMs)} s.`,
      { code: 'vault_suspended', retryAfterMs: limits.breakerOpenMs },
    );
  }
}

/** A refusal is an answer, as good as any other: it ends a row of failures. */
function answered(error: unknown): { error: KeyferryError } {
  if (error instanceof KeyferryError && !isOutage(error)) return { error };
  throw error;
}

/** Says of the vault that it is away. */
function isOutage(error: unknown): boolean {
  const failureClass = classOf(error);
  return failureClass === 'unavailable' || failureClass === 'timeout';
}
