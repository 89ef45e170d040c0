import { findWritableKey, refuseKeyBeyondLimit, type TenantKeys, type WritableKey } from '@keyferry/store';
import { storedEtag } from '../etag.ts';
import { isAgreed } from './agreed.ts';
import { beginWrite } from './begin-write.ts';
import { storeWritten } from './commit-through.ts';
import type { JudgedValue } from './judge-value.ts';
import { refuseUnmet } from './precondition.ts';
import type { Attempt, PutRequest, WriteServices, WrittenSecret } from './request.ts';
import { sendValue } from './send-value.ts';
import { settleUnfinished } from './settle-unfinished.ts';
import type { WriteTarget } from './target.ts';
import { type BegunWrite, endWrite, readSecret, withContainer } from './vault-side.ts';

interface Prepared {
  target: WriteTarget;
  judged: JudgedValue;
  keys: TenantKeys;
}

/**
 * Writes a value to the vault, and then here. That it begins is committed before the vault is asked, so that, whatever
 * happens between, the next cycle or the next write finds out what became of it.
 */
export async function putThrough(
  services: WriteServices,
  request: PutRequest,
  { target, judged, keys }: Prepared,
  attempt: Attempt<WrittenSecret>,
): Promise<WrittenSecret> {
  const { tenantId, by } = request;
  const { backend, key, localPath, remotePath } = target;
  const agreed = key !== null && isAgreed(key, judged, services.now());
  // A cycle has carried what the first try of this request has written.
  if (attempt.repeated && agreed) return await unchanged(services, request, key, attempt);
  refuseUnmet(localPath, key, request, services.now());
  if (!key) await services.store.inTenant(tenantId, (tx) => refuseKeyBeyondLimit(tx, localPath));

  return await withContainer(services, backend, async (connection, signal) => {
    const shared = { services, backend, connection, signal, context: { tenantId, keys, by } };
    // Whether it is the same value is a guess answered, where it may not be read.
    if (agreed && !request.blind) {
      const found = await readSecret(connection, remotePath, signal);
      if (found && keys.digest(found.value.reveal()).equals(judged.digest))
        return await unchanged(services, request, key, attempt);
    }
    const wanted = {
      id: attempt.writeId,
      tenantId,
      backendId: backend.id,
      kind: 'put' as const,
      remotePath,
      localPath,
      valueDigest: judged.digest,
      creates: key === null || key.remoteDigest.length === 0,
      ownedFor: request.ownedFor ?? null,
    };
    const begun = await beginWrite(services, wanted, (intent) => settleUnfinished({ ...shared, intent, target }));
    const write = { ...shared, ...begun };
    const current = (await services.store.inTenant(tenantId, (tx) => findWritableKey(tx, localPath))) ?? null;
    // What was left unfinished may have become another version meanwhile.
    if (current?.version !== key?.version)
      await refuseOrEnd(write, () => refuseUnmet(localPath, current, request, services.now()));
    const remote = await sendValue({ ...write, key: current, judged });
    const stored = { ...write, target: { ...target, key: current }, judged, remote, answer: attempt.answer };
    return await storeWritten(stored);
  });
}

async function refuseOrEnd(write: BegunWrite, refuse: () => void): Promise<void> {
  try {
    refuse();
  } catch (error) {
    await endWrite(write);
    throw error;
  }
}

/** The answer where nothing has to be written. */
async function unchanged(
  services: WriteServices,
  { tenantId, path }: PutRequest,
  { id, version, remoteVersion, owned }: WritableKey,
  attempt: Attempt<WrittenSecret>,
): Promise<WrittenSecret> {
  const written = { path, version, remoteVersion, created: false, owned, etag: storedEtag(id, version) };
  return await services.store.inTenant(tenantId, (tx) => attempt.answer(tx, { ...written, writtenTo: 'vault' }));
}
