import { AsyncLocalStorage } from 'node:async_hooks';
import { type CallOperation, callOperations } from '@keyferry/vaults';

/** Calls by kind. Each attempt is one: that is what the vault sees. */
export type CallCounts = Record<CallOperation, number>;

const runs = new AsyncLocalStorage<readonly CallCounts[]>();

export function noCalls(): CallCounts {
  return Object.fromEntries(callOperations.map((operation) => [operation, 0])) as CallCounts;
}

/**
 * Adds to `counts` every call made by what runs here, though its connection may be shared with others: also by async
 * generators that are consumed here, and also if it throws. A login that several wait for counts for who began it.
 */
export function countCalls<Result>(counts: CallCounts, run: () => Promise<Result>): Promise<Result> {
  return runs.run([...(runs.getStore() ?? []), counts], run);
}

/** The counters of whoever runs now. Taken when a call is made, since its later attempts run from timers. */
export function countersOfRun(): readonly CallCounts[] {
  return runs.getStore() ?? [];
}

/** For work that belongs to a connection and to no run, such as a renewal. */
export function uncounted<Result>(run: () => Result): Result {
  return runs.exit(run);
}
