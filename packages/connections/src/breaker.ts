import { classOf, vaultFailure } from '@keyferry/core';
import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  noJitterGenerator,
} from 'cockatiel';
import type { ConnectionLimits } from './limits.ts';

/** Lets a vault alone that fails again and again. One call at a time then finds out whether it is back. */
export function createBreaker(limits: ConnectionLimits): CircuitBreakerPolicy {
  return circuitBreaker(handleWhen(isOutage), {
    breaker: new ConsecutiveBreaker(limits.breakerFailures),
    halfOpenAfter: new ExponentialBackoff({
      initialDelay: limits.breakerOpenMs,
      maxDelay: limits.breakerOpenMaxMs,
      generator: noJitterGenerator,
    }),
  });
}

/** Says of the vault that it is away. A refusal or a throttled call is an answer. */
function isOutage(error: unknown): boolean {
  const failureClass = classOf(error);
  return failureClass === 'unavailable' || failureClass === 'timeout';
}

/** What a call that was not made fails with; any other error is itself. */
export function suspended(error: unknown, limits: ConnectionLimits): unknown {
  if (!(error instanceof BrokenCircuitError)) return error;
  return vaultFailure(
    'unavailable',
    `The vault was not asked: it failed ${limits.breakerFailures} times in a row and is let alone for ${limits.breakerOpenMs} to ${limits.breakerOpenMaxMs} ms.`,
    { code: 'vault_suspended', retryAfterMs: limits.breakerOpenMs },
  );
}
