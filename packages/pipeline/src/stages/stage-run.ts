import type { Connection } from '@keyferry/connections';
import { type Lifecycle, type PathMapping, parseFederation, parseLifecycle, type SyncScope } from '@keyferry/core';
import type { Backend, Cycle, Dispatch } from '@keyferry/store';
import { type Judge, judgeBy } from '@keyferry/validation';
import type { Services } from '../services.ts';

/** What work on a backend needs: that of a cycle's stages, and that of a plan, which has no cycle. */
export interface BackendRun {
  services: Services;
  /** As it was before the vault was asked: its `write_seq` tells what was written through Keyferry since. */
  backend: Backend;
  /** What is carried: what is in mode sync. What is proxied is none of the pipeline's. */
  scope: SyncScope;
  mapping: PathMapping;
  /** What values have to look like. */
  judge: Judge;
  lifecycle: Lifecycle;
  /** Opens the backend's connection; stages that make no call to the vault don't ask for it. */
  connect: () => Promise<Connection>;
  signal: AbortSignal;
}

/** What one run of a stage works with. Every write it makes is in a transaction that holds the stage's epoch. */
export interface StageRun extends BackendRun {
  cycle: Cycle;
  /** How many keys the tenant may have; null where there is no limit. */
  maxKeys: number | null;
  /** Calls made to the vault since it was last asked, by operation. Ask before a transaction: it may run twice. */
  takeCalls: () => Record<string, number>;
}

/** Runs a stage to its end and returns the jobs that come next, to be enqueued once everything has committed. */
export type StageHandler = (run: StageRun) => Promise<Dispatch[]>;

/** What a backend's settings say of its secrets. */
export function parseSettings(backend: Backend): Pick<BackendRun, 'scope' | 'mapping' | 'judge' | 'lifecycle'> {
  const { mapping, scopeOf } = parseFederation(backend);
  return {
    scope: scopeOf('sync'),
    mapping,
    judge: judgeBy(backend.validation_rules),
    lifecycle: parseLifecycle(backend),
  };
}
