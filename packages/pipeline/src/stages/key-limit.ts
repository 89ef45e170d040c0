import {
  addIssues,
  type Dispatch,
  keysOfTenant,
  loadKeys,
  type Shard,
  type ShardRef,
  settleShard,
} from '@keyferry/store';
import { beyondLimit, type Decision, limitIssue } from './decide.ts';
import type { StageRun } from './stage-run.ts';

/** What a tenant may not have any more is reported, and all that it has goes on being carried. */

/**
 * Leaves out of a shard what would be new, where the tenant has all the keys that it may have: it is not read in vain.
 * Returns what is left, and the jobs that come next where that is nothing.
 */
export async function leaveOutBeyondLimit(
  { services, cycle, backend, maxKeys }: StageRun,
  shard: Shard,
): Promise<{ refs: ShardRef[]; next: Dispatch[] }> {
  const all = { refs: shard.refs, next: [] };
  if (maxKeys === null) return all;
  return await services.store.inTenant(cycle.tenant_id, async (tx) => {
    if ((await keysOfTenant(tx)) < maxKeys) return all;
    const known = await loadKeys(
      tx,
      backend.id,
      shard.refs.map(([remote]) => remote),
    );
    const refs = shard.refs.filter(([remote]) => known.has(remote));
    const beyond = shard.refs.filter(([remote]) => !known.has(remote));
    if (beyond.length === 0) return all;
    await addIssues(
      tx,
      cycle,
      beyond.map(([remote]) => limitIssue(remote)),
    );
    const counts = { skipped: beyond.length };
    return { refs, next: await settleShard(tx, shard, { left: refs, counts, calls: {}, now: services.now() }) };
  });
}

/** As many new keys as there is room for, in their order; `room` is null where there is no limit. */
export function withinLimit(decisions: readonly Decision[], room: number | null): readonly Decision[] {
  if (room === null) return decisions;
  let left = room;
  return decisions.map((decision) => {
    if (decision.write?.rowVersion !== null) return decision;
    left--;
    return left >= 0 ? decision : { ...beyondLimit(decision.item), write: null, pushed: false };
  });
}
