import { isServed, KeyferryError } from '@keyferry/core';
import { storedEtag } from '../etag.ts';
import { commitValue } from './commit-value.ts';
import { finishLeft, takeLeft } from './finish-left.ts';
import { judgeValue } from './judge-value.ts';
import { refuseUnmet } from './precondition.ts';
import type { Attempt, PutRequest, WriteServices, WrittenSecret } from './request.ts';
import { refuseRevoked } from './revoked.ts';
import { findTarget } from './target.ts';

/** A key that others make at the same time is looked at again. */
const maxRounds = 3;

/** Stores a value here alone, in one transaction: the key is then ahead of its vault. */
export async function putLocal(
  services: WriteServices,
  request: PutRequest,
  attempt: Attempt<WrittenSecret>,
): Promise<WrittenSecret> {
  const { tenantId, path, by } = request;
  const keys = await services.keyring.ofTenant(tenantId);
  for (let round = 0; round < maxRounds; round++) {
    const now = services.now();
    const written = await services.store.inTenant(tenantId, async (tx) => {
      const target = await findTarget(tx, path, { lock: true });
      const { key, backend } = target;
      if (backend.writes !== 'local') throw changedMeanwhile(path);
      refuseRevoked(target);
      refuseUnmet(path, key, request, now);
      const judged = judgeValue(request.value, target, { registry: services.registry, keys });
      const same = !request.blind && key && isServed(key, now) && key.state === 'active' && !key.rolledBack;
      if (same && key.localDigest.equals(judged.digest)) {
        const etag = storedEtag(key.id, key.version);
        const unchanged = { path, version: key.version, remoteVersion: null, created: false, owned: key.owned, etag };
        return await attempt.answer(tx, { ...unchanged, writtenTo: 'store' });
      }
      const left = await takeLeft(tx, target, now);
      if (left) return left;
      const committed = await commitValue(tx, { tenantId, keys, by, now }, target, judged, null);
      return committed && (await attempt.answer(tx, committed));
    });
    if (written && 'etag' in written) return written;
    if (written) await finishLeft(services, request, keys, written);
  }
  throw changedMeanwhile(path);
}

const changedMeanwhile = (path: string) =>
  new KeyferryError(
    'write_conflict',
    `"${path}" was not written: others changed it, or its backend, at the same time.`,
  );
