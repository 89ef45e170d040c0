import { KeyferryError } from '@keyferry/core';
import { audit, countServed, dependentsAmong, flushBackends, servedAmong } from '@keyferry/store';
import type { CoordinationServices } from '../services.ts';
import { type Choosing, chooseKeys, markRevoked, samplePaths, targetOf } from './chosen-keys.ts';

export interface RevokeRequest {
  tenantId: string;
  /** Local paths, and globs of them. */
  paths: string[];
  /** Whether they are paths alone, whatever signs they have. */
  exact?: boolean | undefined;
  choosing: Choosing;
  reason: string;
  /** Tells what it would do, and does nothing. */
  dryRun: boolean;
  /** That it may be every key that is served. */
  all: boolean;
  by: string;
}

export interface Revoked {
  dryRun: boolean;
  /** How many keys it revokes. */
  count: number;
  /** How many of those that were named are revoked already. */
  alreadyRevoked: number;
  /** Whether no key would be served after it, by the word of wildcards. */
  everything: boolean;
  /** Some of the paths. */
  paths: string[];
  /** Names of backends whose credentials are in these keys. */
  credentialsOf: string[];
}

/**
 * Breaks the glass: these keys are archived at once, whatever state they are in, and stay so until somebody lifts it. Throws
 * `key_not_found`, `nothing_matches`, or `revoke_all_unconfirmed` if globs match all that is served and nobody said `all`.
 */
export async function revokeKeys(services: CoordinationServices, request: RevokeRequest): Promise<Revoked> {
  const { tenantId, reason, dryRun, by } = request;
  const now = services.now();
  return await services.store.inTenant(tenantId, async (tx) => {
    const { keys, byGlob } = await chooseKeys(tx, request.paths, request.choosing, request.exact);
    const served = servedAmong(keys, now).length;
    const everything = byGlob && served >= 2 && served === (await countServed(tx, now));
    if (everything && !request.all && !dryRun)
      throw new KeyferryError('revoke_all_unconfirmed', `These are all ${served} keys that are served.`, {
        details: { served },
      });
    const fresh = keys.filter(({ revoked }) => !revoked);
    const result: Revoked = {
      dryRun,
      count: fresh.length,
      alreadyRevoked: keys.length - fresh.length,
      everything,
      paths: samplePaths(fresh),
      credentialsOf: await dependentsAmong(tx, new Set(fresh.map(({ localPath }) => localPath))),
    };
    if (dryRun) return result;
    const marked = await markRevoked(tx, fresh, {
      tenantId,
      type: 'keys.revoked',
      revoked: true,
      actor: by,
      reason,
      now,
    });
    await flushBackends(tx, [...marked.backends.keys()]);
    const details = { paths: request.paths, reason, revoked: marked.count };
    await audit(tx, tenantId, { actor: by, action: 'keys.revoked', target: targetOf(request.paths), details }, now);
    return { ...result, count: marked.count };
  });
}
