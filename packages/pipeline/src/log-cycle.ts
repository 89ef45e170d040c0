import type { Backend, ClosedCycle, Cycle, Issue } from '@keyferry/store';
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

/** What a cycle does not carry: how many secrets, and the first of them. */
export interface Skipped {
  count: number;
  first: Issue[];
}

/** One line for what can't be carried under its local path, however much it is. The cycle's report has all of it. */
export function logSkipped(
  log: Log,
  { backend, cycle }: { backend: Pick<Backend, 'name'>; cycle: Pick<Cycle, 'id'> },
  { count, first }: Skipped,
): void {
  if (count === 0) return;
  const skipped = first.map(({ remotePath, code, message }) => ({ remote_path: remotePath, code, reason: message }));
  log.warn({ backend: backend.name, cycle_id: cycle.id, count, skipped }, 'secrets were skipped');
}
