import { KeyferryError } from '@keyferry/core';
import {
  appendEvents,
  approveHold,
  audit,
  type Backend,
  type Cycle,
  getBackend,
  getHold,
  type Hold,
  keepNames,
  listsCause,
  makeDue,
  type NewKeyChange,
  noteKeyChanges,
  openCycle,
  rejectHold,
  settledEvent,
  type Tx,
  unlistedKeys,
} from '@keyferry/store';
import { removeWithKeys } from './remove-backend.ts';
import { enqueueSoon } from './requests.ts';
import type { CoordinationServices } from './services.ts';

/** What people decide on holds. Each decision is audited and told of. */

interface Request {
  tenantId: string;
  holdId: string;
  by: string;
}

/**
 * Approves a hold. What a cycle held goes in the cycle that is opened now, where everything it lists is proven again; a
 * backend that was to be removed is removed now, with exactly the keys that are listed. Throws `hold_not_found`,
 * `hold_over` or `cycle_running`; of a removal also `hold_outdated` or `credentials_in_use`.
 */
export async function approveHeld(
  services: CoordinationServices,
  request: Request,
): Promise<{ hold: Hold; cycle: Cycle | null }> {
  const { tenantId, by } = request;
  const now = services.now();
  const approved = await services.store.inTenant(tenantId, async (tx) => {
    const hold = await approveHold(tx, request.holdId, by, now);
    const backend = await getBackend(tx, hold.backend_id);
    await tell(tx, backend, hold, by, now);
    if (hold.kind === 'removal') {
      await removeListed(tx, backend, hold, by, now);
      return { hold, cycle: null, dispatch: null };
    }
    // A rejection had let them keep their names.
    if (await listsCause(tx, hold.id, 'renamed')) await keepNames(tx, backend.id, { kept: false, ofThen: now });
    const opened = await openCycle(tx, { tenantId, backendId: backend.id, trigger: 'hand', requestedBy: by, now });
    // A cycle that is open already may be past its guard.
    if (!opened.dispatch) await makeDue(tx, backend.id, now);
    return { hold, ...opened };
  });
  await enqueueSoon(services, approved.dispatch ? [approved.dispatch] : []);
  return { hold: approved.hold, cycle: approved.cycle };
}

/** Rejects a hold: the keys it lists stay until they are found again. Throws `hold_not_found` or `hold_over`. */
export async function rejectHeld(services: CoordinationServices, request: Request): Promise<Hold> {
  const { tenantId, by } = request;
  const now = services.now();
  return await services.store.inTenant(tenantId, async (tx) => {
    const listed = await getHold(tx, request.holdId);
    const { hold, kept } = await rejectHold(tx, request.holdId, by, now);
    const backend = await getBackend(tx, hold.backend_id);
    // Those that were to have other names keep theirs: the path mapping has to change before that is looked at again.
    if (await listsCause(tx, hold.id, 'renamed'))
      await keepNames(tx, backend.id, { kept: true, ofThen: listed.updated_at });
    const changes = kept.map(({ id, state }): NewKeyChange => ({ keyId: id, change: 'kept', from: state, to: state }));
    const cause = { cycleId: hold.cycle_id, actor: by, reason: `hold ${hold.id} was rejected` };
    await noteKeyChanges(tx, tenantId, cause, changes, now);
    await tell(tx, backend, hold, by, now);
    return hold;
  });
}

async function tell(tx: Tx, backend: Backend, hold: Hold, by: string, now: Date): Promise<void> {
  const details = { candidates: hold.candidates, keys: hold.keys, backend_id: backend.id };
  const action = hold.state === 'approved' ? 'hold.approved' : 'hold.rejected';
  const state = hold.state === 'approved' ? 'approved' : 'rejected';
  await audit(tx, backend.tenant_id, { actor: by, action, target: hold.id, details }, now);
  await appendEvents(tx, backend.id, [settledEvent(backend, { id: hold.id, state }, by)], now);
}

async function removeListed(tx: Tx, backend: Backend, hold: Hold, by: string, now: Date): Promise<void> {
  await removeWithKeys(tx, backend, by, now);
  const unlisted = await unlistedKeys(tx, hold, now);
  if (unlisted > 0)
    throw new KeyferryError(
      'hold_outdated',
      `The backend "${backend.name}" has ${unlisted} live keys that the hold ${hold.id} doesn't list. Nothing was removed.`,
    );
}
