import { isMassLoss, KeyferryError, parseLifecycle, statesLeftBy } from '@keyferry/core';
import {
  appendEvents,
  appendKeyEvents,
  audit,
  type Backend,
  countKeys,
  dependentsOfBackend,
  eachKeyOf,
  getBackend,
  type Hold,
  holdRemoval,
  lockKeys,
  moveKeys,
  removeBackend,
  type Tx,
} from '@keyferry/store';
import { heldEvent } from './held-event.ts';
import type { CoordinationServices } from './services.ts';

/** What came of the wish to remove a backend: it is gone, or its keys are so many that a person has to say so. */
export type RemovalResult =
  | { removed: { id: string; name: string; archivedKeys: number } }
  | { held: { hold: Hold; opened: boolean } };

/** What the removal of a backend would do. */
export interface RemovalPreview {
  backend: string;
  liveKeys: number;
  wouldHold: boolean;
}

export async function previewRemoval(
  services: CoordinationServices,
  request: { tenantId: string; backend: string },
): Promise<RemovalPreview> {
  return await services.store.inTenant(request.tenantId, async (tx) => {
    const backend = await getBackend(tx, request.backend);
    const liveKeys = await countLive(tx, backend);
    return { backend: backend.name, liveKeys, wouldHold: isTooMany(backend, liveKeys) };
  });
}

/**
 * Removes a backend, and archives its live keys if that was asked for. Are they many, as the guard sees it, a hold waits for a
 * second word instead. Throws `backend_has_keys` if it has some, `credentials_in_use` if other backends live by them.
 */
export async function requestRemoval(
  services: CoordinationServices,
  request: { tenantId: string; backend: string; archiveKeys: boolean; by: string },
): Promise<RemovalResult> {
  const { tenantId, by } = request;
  const now = services.now();
  return await services.store.inTenant(tenantId, async (tx): Promise<RemovalResult> => {
    const backend = await getBackend(tx, request.backend);
    const live = await countLive(tx, backend);
    if (live > 0 && !request.archiveKeys)
      throw new KeyferryError('backend_has_keys', `The backend "${backend.name}" has ${live} live keys.`, {
        details: { live_keys: live },
      });
    if (!isTooMany(backend, live)) return { removed: await removeWithKeys(tx, backend, by, now) };
    await refuseDependents(tx, backend);
    const { hold, opened } = await holdRemoval(tx, backend, now);
    const details = { backend_id: backend.id, hold_id: hold.id, keys: hold.keys };
    await audit(tx, tenantId, { actor: by, action: 'backend.removal_held', target: backend.name, details }, now);
    const event = heldEvent(backend, { holdId: hold.id, cycleId: null, candidates: hold.candidates, keys: hold.keys });
    if (opened) await appendEvents(tx, backend.id, [event], now);
    return { held: { hold, opened } };
  });
}

/** Removes a backend with its keys, in the caller's transaction. */
export async function removeWithKeys(
  tx: Tx,
  backend: Backend,
  by: string,
  now: Date,
): Promise<{ id: string; name: string; archivedKeys: number }> {
  // First: it waits for workers that are writing its keys, and those that come after find their cycle gone.
  await removeBackend(tx, backend.id, now);
  await refuseDependents(tx, backend);
  const lifecycle = parseLifecycle(backend);
  const archived: string[] = [];
  for await (const ids of eachKeyOf(tx, backend.id, statesLeftBy('backendRemoved'))) {
    const keys = await lockKeys(tx, ids, statesLeftBy('backendRemoved'));
    await moveKeys(tx, backend.tenant_id, keys, () => lifecycle, {
      event: 'backendRemoved',
      change: 'archived',
      cause: { cycleId: null, actor: by, reason: 'the backend was removed' },
      now,
    });
    for (const { localPath } of keys) archived.push(localPath);
  }
  // After all keys: until the end, whoever else would write an event of this tenant waits for these.
  await appendKeyEvents(tx, backend, 'keys.archived', archived, { now });
  const archivedKeys = archived.length;
  const details = { backend_id: backend.id, archived_keys: archivedKeys };
  await audit(tx, backend.tenant_id, { actor: by, action: 'backend.removed', target: backend.name, details }, now);
  return { id: backend.id, name: backend.name, archivedKeys };
}

async function refuseDependents(tx: Tx, { id, name }: Backend): Promise<void> {
  const dependents = await dependentsOfBackend(tx, id);
  if (dependents.length > 0)
    throw new KeyferryError(
      'credentials_in_use',
      `Keys of the backend "${name}" hold the credentials of ${dependents.map((other) => `"${other}"`).join(', ')}.`,
      { details: { dependents } },
    );
}

async function countLive(tx: Tx, { id }: Backend): Promise<number> {
  const { active, deprecated } = await countKeys(tx, id);
  return active + deprecated;
}

const isTooMany = ({ guard_percent, guard_at_least }: Backend, live: number): boolean =>
  isMassLoss({ candidates: live, goneLately: 0, keys: live }, { percent: guard_percent, atLeast: guard_at_least });
