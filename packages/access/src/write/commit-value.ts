import { randomUUID } from 'node:crypto';
import { parseLifecycle } from '@keyferry/core';
import {
  appendEvents,
  audit,
  type Backend,
  forgetResolution,
  insertWrittenKey,
  keyEvents,
  moveKeys,
  noteOwned,
  refuseKeyBeyondLimit,
  stampWrite,
  type TenantKeys,
  type Tx,
  valueBinding,
  type WrittenValue,
  writeKeyValue,
} from '@keyferry/store';
import { storedEtag } from '../etag.ts';
import type { JudgedValue } from './judge-value.ts';
import type { WrittenSecret } from './request.ts';
import type { WriteTarget } from './target.ts';

/** Who writes, and by what it is stored. */
export interface CommitContext {
  tenantId: string;
  keys: TenantKeys;
  by: string;
  now: Date;
}

/** What a write was in the vault: null where it is stored here alone. */
export interface RemoteSide {
  version: string | null;
  revision: string | null;
  /** Whether Keyferry made the secret there. */
  creates: boolean;
  ownedFor: string | null;
}

/**
 * Stores a value as a new version of its locked key, or with a new key, with all that tells of it, in the caller's
 * transaction. Null if somebody else made that key in the meantime. Throws `tenant_limit_reached`.
 */
export async function commitValue(
  tx: Tx,
  { tenantId, keys, by, now }: CommitContext,
  target: WriteTarget,
  judged: JudgedValue,
  remote: RemoteSide | null,
): Promise<WrittenSecret | null> {
  const { backend, key, localPath, remotePath } = target;
  // What is in the vault already is stored: it was looked at before it was written there.
  if (!key && !remote) await refuseKeyBeyondLimit(tx, localPath);
  const lifecycle = parseLifecycle(backend);
  const settings = { lifecycle, maxVersions: backend.max_versions, now };
  const id = key?.id ?? randomUUID();
  const version = (key?.version ?? 0) + 1;
  const value: WrittenValue = {
    version,
    ...keys.seal(judged.value.reveal(), valueBinding(tenantId, id, version)),
    type: judged.type,
    contentType: judged.contentType,
    metadata: key?.metadata ?? {},
    digest: judged.digest,
    digestKeyId: keys.digestKeyId,
    remote,
  };
  const owned = key?.owned === true || remote?.creates === true;
  const ownedFor = remote?.ownedFor ?? key?.ownedFor ?? null;
  const identity = { id, tenantId, backendId: backend.id, remotePath, localPath, owned, ownedFor };
  const after = key
    ? await writeKeyValue(tx, key, value, settings)
    : await insertWrittenKey(tx, identity, value, settings);
  if (!after) return null;
  if (key && (owned !== key.owned || ownedFor !== key.ownedFor)) await noteOwned(tx, id, { owned, ownedFor });
  await moveKeys(tx, tenantId, [after], () => lifecycle, {
    event: 'written',
    change: 'written',
    // What the vault has needs nobody's word to stay.
    ...(remote && { set: { kept: false } }),
    cause: { cycleId: null, actor: by, reason: null },
    now,
  });
  if (key) await forgetResolution(tx, id);
  await stampWrite(tx, backend.id, id);
  const written: WrittenSecret = {
    path: localPath,
    version,
    remoteVersion: remote?.version ?? null,
    created: key === null,
    writtenTo: remote ? 'vault' : 'store',
    owned,
    etag: storedEtag(id, version),
  };
  await auditWrite(tx, { tenantId, by, now }, backend, id, written);
  await appendEvents(tx, backend.id, eventsOf(target, version, by), now);
  return written;
}

export async function auditWrite(
  tx: Tx,
  { tenantId, by, now }: Pick<CommitContext, 'tenantId' | 'by' | 'now'>,
  backend: Backend,
  keyId: string,
  { path, version, created, writtenTo, remoteVersion }: WrittenSecret,
): Promise<void> {
  const details = {
    key_id: keyId,
    backend_id: backend.id,
    version,
    created,
    written_to: writtenTo,
    remote_version: remoteVersion,
  };
  await audit(tx, tenantId, { actor: by, action: 'key.written', target: path, details }, now);
}

function eventsOf({ backend, key, localPath }: WriteTarget, version: number, actor: string) {
  const about = (type: Parameters<typeof keyEvents>[0], one: Parameters<typeof keyEvents>[3][number]) =>
    keyEvents(type, backend, null, [one], { actor });
  if (!key) return about('keys.created', localPath);
  const comesBack = key.state !== 'active' && !key.revoked;
  return [
    ...about('keys.rotated', { path: localPath, from_version: key.version, to_version: version }),
    ...(comesBack ? about('keys.restored', localPath) : []),
  ];
}
