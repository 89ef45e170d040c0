import type { Backend, ClosedCycle } from '@keyferry/store';
import type { Log } from '@keyferry/telemetry';

/** One line for each cycle that ended. */
export function logCycle(log: Log, backend: Pick<Backend, 'name'>, { cycle, counts }: ClosedCycle): void {
  const fields = {
    backend: backend.name,
    cycle_id: cycle.id,
    trigger: cycle.trigger,
    duration_ms: (cycle.closed_at?.getTime() ?? 0) - cycle.opened_at.getTime(),
    issues: cycle.issues,
    counts,
  };
  if (cycle.state === 'completed') log.info(fields, 'cycle completed');
  else log.warn({ ...fields, code: cycle.error_code, reason: cycle.error_message }, 'cycle failed');
}
