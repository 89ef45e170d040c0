import type { BackendRemoved } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { keyEvents } from '@keyferry/pipeline';
import {
  appendEvents,
  archiveBackendKeys,
  audit,
  countKeys,
  dependentsOfBackend,
  getBackend,
  removeBackend,
  type Tx,
} from '@keyferry/store';
import type { Identity } from './authentication.ts';

/**
 * Removes a backend, and archives its live keys if that was asked for. Throws `backend_has_keys` if it has some,
 * `credentials_in_use` if other backends live by them.
 */
export async function removeWithKeys(
  tx: Tx,
  identity: Identity,
  request: { backend: string; archiveKeys: boolean; now: Date },
): Promise<BackendRemoved> {
  const { now } = request;
  const backend = await getBackend(tx, request.backend);
  // First: it waits for workers that are writing its keys, and those that come after find their cycle gone.
  await removeBackend(tx, backend.id, now);
  const dependents = await dependentsOfBackend(tx, backend.id);
  if (dependents.length > 0)
    throw new KeyferryError(
      'credentials_in_use',
      `Keys of the backend "${backend.name}" hold the credentials of ${dependents.map((name) => `"${name}"`).join(', ')}.`,
      { details: { dependents } },
    );
  const { active, deprecated } = await countKeys(tx, backend.id);
  const live = active + deprecated;
  if (live > 0 && !request.archiveKeys)
    throw new KeyferryError('backend_has_keys', `The backend "${backend.name}" has ${live} live keys.`, {
      details: { live_keys: live },
    });
  const archived = await archiveBackendKeys(tx, backend.id, now);
  await appendEvents(tx, backend.id, keyEvents('keys.archived', backend, null, archived), now);
  await audit(
    tx,
    identity.tenantId,
    {
      actor: identity.actor,
      action: 'backend.removed',
      target: backend.name,
      details: { backend_id: backend.id, archived_keys: archived.length },
    },
    now,
  );
  return { id: backend.id, name: backend.name, archived_keys: archived.length };
}
