import { KeyferryError } from '@keyferry/core';
import { audit, type Dispatch, getBackend, makeDue, openCycle, resolveConflicts, type Tx } from '@keyferry/store';
import { enqueueSoon } from '../requests.ts';
import type { CoordinationServices } from '../services.ts';

export interface ResolvedConflicts {
  backend: string;
  paths: string[];
  /** The cycle that does it; null where one is open already, and the one after it does. */
  cycleId: string | null;
}

/** How many paths an entry of the audit log names. */
const mostNamed = 100;

/**
 * A person's word on conflicts of a backend: of these local paths, or of all where that is null. A cycle does it, opened at once
 * if none is open; whatever the vault has otherwise by then, they did not speak of. Throws `backend_not_found`, or
 * `conflict_not_found` for the first path that is in none.
 */
export async function resolveBackendConflicts(
  services: CoordinationServices,
  request: { tenantId: string; backend: string; keep: 'local' | 'remote'; paths: string[] | null; by: string },
): Promise<ResolvedConflicts> {
  const { tenantId, keep, by } = request;
  const now = services.now();
  const { dispatch, ...resolved } = await services.store.inTenant(tenantId, async (tx) => {
    const backend = await getBackend(tx, request.backend);
    const paths = await resolveConflicts(tx, backend, { keep, paths: request.paths, by, now });
    const details = { keep, conflicts: paths.length, paths: paths.slice(0, mostNamed) };
    await audit(tx, tenantId, { actor: by, action: 'conflicts.resolved', target: backend.name, details }, now);
    const opened = paths.length > 0 ? await openIfNoneIs(tx, { tenantId, backendId: backend.id, by, now }) : null;
    if (paths.length > 0 && !opened) await makeDue(tx, backend.id, now);
    return { backend: backend.name, paths, cycleId: opened?.cycle_id ?? null, dispatch: opened };
  });
  await enqueueSoon(services, dispatch ? [dispatch] : []);
  return resolved;
}

async function openIfNoneIs(
  tx: Tx,
  { tenantId, backendId, by, now }: { tenantId: string; backendId: string; by: string; now: Date },
): Promise<Dispatch | null> {
  try {
    return (await openCycle(tx, { tenantId, backendId, trigger: 'hand', requestedBy: by, now })).dispatch;
  } catch (error) {
    // One that ended at this very moment may have read before what was said now.
    if (error instanceof KeyferryError && error.code === 'cycle_running') return null;
    throw error;
  }
}
