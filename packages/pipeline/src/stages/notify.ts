import { completeCycle } from '@keyferry/store';
import { logCycle } from '../log-cycle.ts';
import type { StageHandler } from './stage-run.ts';

/** Closes the cycle: counts, report, next due time and `federation.sync.completed`, in one transaction. */
export const notify: StageHandler = async ({ services, cycle, backend }) => {
  const closed = await services.store.inTenant(cycle.tenant_id, (tx) => completeCycle(tx, cycle, services.now()));
  logCycle(services.log, backend, closed);
  return [];
};
