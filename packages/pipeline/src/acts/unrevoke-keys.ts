import { KeyferryError } from '@keyferry/core';
import { audit, makeDue } from '@keyferry/store';
import type { CoordinationServices } from '../services.ts';
import { type Choosing, chooseKeys, markRevoked, samplePaths, targetOf } from './chosen-keys.ts';

export interface Unrevoked {
  count: number;
  /** Some of the paths. */
  paths: string[];
}

/**
 * Lifts the revocation of those of these keys that are revoked. They stay archived until a cycle finds them in the vault;
 * their backends are due for one at once. What is only here is served again at once. Throws `key_not_found`, `nothing_matches`, or `not_revoked` if none of them is.
 */
export async function unrevokeKeys(
  services: CoordinationServices,
  request: {
    tenantId: string;
    paths: string[];
    exact?: boolean | undefined;
    choosing: Choosing;
    reason: string;
    by: string;
  },
): Promise<Unrevoked> {
  const { tenantId, reason, by } = request;
  const now = services.now();
  return await services.store.inTenant(tenantId, async (tx) => {
    const { keys: chosen } = await chooseKeys(tx, request.paths, request.choosing, request.exact);
    const { count, backends } = await markRevoked(tx, chosen, {
      tenantId,
      type: 'keys.unrevoked',
      revoked: false,
      actor: by,
      reason,
      now,
    });
    if (count === 0)
      throw new KeyferryError(
        'not_revoked',
        chosen.length === 1
          ? `"${chosen[0]?.localPath}" is not revoked.`
          : `None of these ${chosen.length} keys is revoked.`,
      );
    for (const { id } of backends.values()) await makeDue(tx, id, now);
    const details = { paths: request.paths, reason, unrevoked: count };
    await audit(tx, tenantId, { actor: by, action: 'keys.unrevoked', target: targetOf(request.paths), details }, now);
    return { count: count, paths: samplePaths(chosen.filter(({ revoked }) => revoked)) };
  });
}
