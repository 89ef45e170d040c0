import type { ConnectionPool } from '@keyferry/connections';
import type { Queues } from '@keyferry/queue';
import type { Keyring, Store } from '@keyferry/store';
import type { Log } from '@keyferry/telemetry';

/** What the scheduler's work and requests from outside need. */
export interface CoordinationServices {
  store: Store;
  queues: Queues;
  log: Log;
  now: () => Date;
}

/** What the stages need besides. */
export interface Services extends CoordinationServices {
  keyring: Keyring;
  connections: ConnectionPool;
  /** Milliseconds before a failed stage is tried for the second time; a second by default. */
  firstRetryMs?: number | undefined;
}
