import { classOf, vaultFailure } from '@keyferry/core';

/**
 * What an aborted call ends with. A deadline's reason knows nothing of what was attempted (`what`, which goes after "Could
 * not"); any other is the caller's own and passed on.
 */
export function ending(reason: unknown, what: string): unknown {
  return classOf(reason) === 'timeout'
    ? vaultFailure('timeout', `Could not ${what}: the vault did not answer in time.`)
    : reason;
}
