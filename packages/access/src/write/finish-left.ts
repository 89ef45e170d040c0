import { findIntent, type TenantKeys, type Tx, takeIntent, type WriteIntent } from '@keyferry/store';
import type { WriteServices } from './request.ts';
import { settleUnfinished } from './settle-unfinished.ts';
import type { WriteTarget } from './target.ts';
import { withContainer } from './vault-side.ts';

/** A write to the vault that somebody has left unfinished, to be settled before a key is changed here alone. */
export interface LeftWrite {
  target: WriteTarget;
  left: WriteIntent;
}

/** Takes over what was left unfinished of a target's secret. Null where nothing was, or somebody is still at it. */
export async function takeLeft(tx: Tx, target: WriteTarget, now: Date): Promise<LeftWrite | null> {
  const left = await findIntent(tx, target.backend.id, target.remotePath);
  if (!left || left.claimed_until > now) return null;
  await takeIntent(tx, left, now);
  return { target, left };
}

/**
 * Finds out whether the vault has made it, so that what comes after it here stays so: a cycle that came upon it later would take
 * the older write for news. Rejects with the vault's failure.
 */
export async function finishLeft(
  services: WriteServices,
  { tenantId, by }: { tenantId: string; by: string },
  keys: TenantKeys,
  { target, left: intent }: LeftWrite,
): Promise<void> {
  const { backend } = target;
  const context = { tenantId, keys, by };
  await withContainer(services, backend, (connection, signal) =>
    settleUnfinished({ services, backend, connection, signal, intent, target, context }),
  );
}
