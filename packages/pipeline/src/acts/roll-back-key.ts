import { isServed, KeyferryError, parseLifecycle } from '@keyferry/core';
import {
  appendEvents,
  audit,
  backendsById,
  getPermittedKey,
  getVersion,
  keyEvents,
  lockValueKey,
  noteKeyChanges,
  type ValueKey,
} from '@keyferry/store';
import type { Services } from '../services.ts';
import { backendOf, serveEarlier } from './earlier-value.ts';

export interface RolledBack {
  path: string;
  /** What was served before. */
  fromVersion: number;
  /** Whose value is served now. */
  toVersion: number;
  /** The number it is served under. */
  version: number;
}

/**
 * Serves the value of an earlier version again, until the next change in the vault. Throws `key_not_found`, `key_not_served`,
 * `version_gone`, or `nothing_to_roll_back` if that value is served already. A key for whose path whoever asks may not do it is
 * answered as one that isn't there.
 */
export async function rollBackKey(
  services: Pick<Services, 'store' | 'keyring' | 'now'>,
  request: {
    tenantId: string;
    /** Or the key's id. */
    path: string;
    may: (localPath: string) => boolean;
    toVersion: number;
    reason: string | null;
    by: string;
  },
): Promise<RolledBack> {
  const { tenantId, toVersion, reason, by } = request;
  const now = services.now();
  const keys = await services.keyring.ofTenant(tenantId);
  return await services.store.inTenant(tenantId, async (tx) => {
    const { id, local_path: path } = await getPermittedKey(tx, request.path, request.may);
    const key = await lockValueKey(tx, id);
    if (!key) throw new KeyferryError('key_not_found', `There is no key "${path}".`);
    refuseUnserved(key, now);
    const nothing = (why: string) =>
      new KeyferryError('nothing_to_roll_back', `Version ${toVersion} of "${path}" ${why}.`);
    if (toVersion === key.version) throw nothing('is the current one');
    const wanted = await getVersion(tx, key, toVersion);
    const backend = backendOf(await backendsById(tx, [key.backendId]), key);
    const context = { backend, lifecycle: parseLifecycle(backend), keys, now };
    const after = await serveEarlier(tx, key, { ...wanted, source: 'rollback' }, context);
    if (!after) throw nothing(`has the value of the current one, version ${key.version}`);
    const change = {
      keyId: id,
      change: 'rolled_back',
      from: key.state,
      to: key.state,
      version: after.version,
    } as const;
    await noteKeyChanges(tx, tenantId, { cycleId: null, actor: by, reason }, [change], now);
    const details = {
      key_id: id,
      from_version: key.version,
      value_of_version: toVersion,
      version: after.version,
      reason,
    };
    await audit(tx, tenantId, { actor: by, action: 'key.rolled_back', target: key.localPath, details }, now);
    const told = { path: key.localPath, from_version: key.version, to_version: after.version };
    await appendEvents(
      tx,
      backend.id,
      keyEvents('keys.rolled_back', backend, null, [told], { actor: by, reason }),
      now,
    );
    return { path: key.localPath, fromVersion: key.version, toVersion, version: after.version };
  });
}

function refuseUnserved(key: ValueKey, now: Date): void {
  if (isServed(key, now)) return;
  const state = key.revoked ? 'revoked' : key.state === 'archived' ? 'archived' : 'expired';
  throw new KeyferryError('key_not_served', `"${key.localPath}" is ${state}: none of its versions is served.`);
}
