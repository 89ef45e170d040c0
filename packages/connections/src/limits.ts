/** How a connection treats its vault. Times are milliseconds. */
export interface ConnectionLimits {
  /** Calls at a time to one backend, whoever makes them. */
  parallelism: number;
  /** For one attempt, from its start to the last byte of the answer. */
  deadlineMs: number;
  /** Attempts of one call, the first one included. */
  attempts: number;
  /** The longest wait before the second attempt; it doubles with each further one. */
  retryBaseMs: number;
  retryMaxMs: number;
  /** A vault that asks for a longer wait is asked again after this one. */
  retryAfterCapMs: number;
  /** So many attempts in a row that found the vault away let it alone for a while. */
  breakerFailures: number;
  /** How long at first; it doubles each time that the vault is found to be still away. */
  breakerOpenMs: number;
  breakerOpenMaxMs: number;
  /** How long a connection that nobody uses is kept. */
  idleMs: number;
}

export const defaultLimits: ConnectionLimits = {
  parallelism: 128,
  deadlineMs: 15_000,
  attempts: 3,
  retryBaseMs: 250,
  retryMaxMs: 5_000,
  retryAfterCapMs: 30_000,
  breakerFailures: 40,
  breakerOpenMs: 5_000,
  breakerOpenMaxMs: 60_000,
  idleMs: 10 * 60_000,
};
