import type { Connection } from '@keyferry/connections';
import type { Lifecycle, PathMapping, SyncScope } from '@keyferry/core';
import type { Backend, Cycle, Dispatch } from '@keyferry/store';
import type { Judge } from '@keyferry/validation';
import type { Services } from '../services.ts';

/** What one run of a stage works with. Every write it makes is in a transaction that holds the stage's epoch. */
export interface StageRun {
  services: Services;
  cycle: Cycle;
  backend: Backend;
  scope: SyncScope;
  mapping: PathMapping;
  /** What values have to look like. */
  judge: Judge;
  lifecycle: Lifecycle;
  /** Opens the backend's connection; stages that make no call to the vault don't ask for it. */
  connect: () => Promise<Connection>;
  /** Calls made to the vault since it was last asked, by operation. Ask before a transaction: it may run twice. */
  takeCalls: () => Record<string, number>;
  signal: AbortSignal;
}

/** Runs a stage to its end and returns the jobs that come next, to be enqueued once everything has committed. */
export type StageHandler = (run: StageRun) => Promise<Dispatch[]>;
