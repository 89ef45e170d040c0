import type { FailureAnswer } from '@keyferry/contracts';
import type { Failure } from '@keyferry/store';
import type { BackendNames } from './backend-names.ts';

export function showFailure(failure: Failure, nameOf: BackendNames): FailureAnswer {
  return {
    id: failure.id,
    backend_id: failure.backend_id,
    backend: nameOf(failure.backend_id),
    cycle_id: failure.cycle_id,
    stage: failure.stage,
    shard: failure.shard < 0 ? null : failure.shard,
    state: failure.state,
    class: failure.class,
    code: failure.code,
    message: failure.message,
    attempts: failure.attempts,
    first_failed_at: failure.first_failed_at.toISOString(),
    last_failed_at: failure.last_failed_at.toISOString(),
  };
}
