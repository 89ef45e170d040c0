import { idempotently } from './idempotent.ts';
import { judgeValue } from './judge-value.ts';
import { putLocal } from './put-local.ts';
import { putThrough } from './put-through.ts';
import type { PutRequest, WriteServices, WrittenSecret } from './request.ts';
import { refuseRevoked } from './revoked.ts';
import { findTarget } from './target.ts';

/**
 * Writes a value under a local path: here alone, or to the vault first, as the backend's `writes` say. Throws what
 * `findTarget`, `judgeValue`, `refuseUnmet` and `idempotently` do, `key_revoked`, `write_conflict` where somebody else wrote
 * it at the same time, in the vault or here, or a vault's failure.
 */
export async function putSecret(services: WriteServices, request: PutRequest): Promise<WrittenSecret> {
  const { tenantId, path, value } = request;
  const statusOf = ({ created }: WrittenSecret) => (created ? 201 : 200);
  return await idempotently(
    services,
    { ...request, parts: ['PUT', path, value.reveal()] },
    statusOf,
    async (attempt) => {
      const keys = await services.keyring.ofTenant(tenantId);
      const target = await services.store.inTenant(tenantId, (tx) => findTarget(tx, path));
      if (target.backend.writes === 'local') return await putLocal(services, request, attempt);
      refuseRevoked(target);
      const judged = judgeValue(value, target, { registry: services.registry, keys });
      return await putThrough(services, request, { target, judged, keys }, attempt);
    },
  );
}
