import type { KeyState } from '@keyferry/core';
import type { PossibleRename } from '@keyferry/store';
import type { KnownIndex } from '../known-index.ts';
import type { WantedPaths } from '../stages/map-ref.ts';
import type { BackendRun } from '../stages/stage-run.ts';
import type { PackedRefs } from './packed-refs.ts';
import type { Tally } from './tally.ts';

/** What a plan works with once the listing is complete. What a cycle would have written by then is kept here. */
export interface PlanRun extends BackendRun {
  known: KnownIndex;
  toRead: PackedRefs;
  excluded: PackedRefs;
  /** The local paths of all refs that are to be read. */
  wanted: WantedPaths;
  /** Whether the listing was that of the backend's own container. */
  containerProven: boolean;
  tally: Tally;
  /** Ids of keys that a read found gone. */
  gone: Set<string>;
  /** Ids of keys that are missing and no loss: changed or deleted here. */
  settled: Set<string>;
  /** By id of the key. `state` is what it would be by then, where that is another one than now. */
  renames: Map<string, PossibleRename & { state?: KeyState }>;
  /** Local paths that new keys would have, where any key is to be renamed. */
  taken: Set<string>;
}
