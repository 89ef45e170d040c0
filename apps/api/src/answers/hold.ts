import type { HoldAnswer } from '@keyferry/contracts';
import type { Hold } from '@keyferry/store';
import type { BackendNames } from './backend-names.ts';

export function showHold(hold: Hold, nameOf: BackendNames): HoldAnswer {
  return {
    id: hold.id,
    backend_id: hold.backend_id,
    backend: nameOf(hold.backend_id),
    kind: hold.kind,
    cycle_id: hold.cycle_id,
    state: hold.state,
    candidates: hold.candidates,
    keys: hold.keys,
    opened_at: hold.opened_at.toISOString(),
    updated_at: hold.updated_at.toISOString(),
    decided_at: hold.decided_at?.toISOString() ?? null,
    decided_by: hold.decided_by,
  };
}
