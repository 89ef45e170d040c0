import type { CycleAnswer } from '@keyferry/contracts';
import { emptyCounts } from '@keyferry/core';
import type { Cycle } from '@keyferry/store';
import type { BackendNames } from './backend-names.ts';

export function showCycle(cycle: Cycle, nameOf: BackendNames): CycleAnswer {
  return {
    id: cycle.id,
    backend_id: cycle.backend_id,
    backend: nameOf(cycle.backend_id),
    scope: cycle.scope,
    trigger: cycle.trigger,
    requested_by: cycle.requested_by,
    replay_of: cycle.replay_of,
    state: cycle.state,
    stage: cycle.stage,
    shards: { total: cycle.shards_total, left: cycle.shards_left },
    counts: { ...emptyCounts(), ...cycle.counts },
    issues: cycle.issues,
    vault_calls: cycle.calls,
    error: cycle.error_code
      ? { class: cycle.error_class, code: cycle.error_code, message: cycle.error_message ?? '' }
      : null,
    opened_at: cycle.opened_at.toISOString(),
    closed_at: cycle.closed_at?.toISOString() ?? null,
    duration_ms: cycle.closed_at ? cycle.closed_at.getTime() - cycle.opened_at.getTime() : null,
  };
}
