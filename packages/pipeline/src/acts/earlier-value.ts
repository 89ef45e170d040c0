import type { Lifecycle } from '@keyferry/core';
import { addVersion, type Backend, type TenantKeys, type Tx, type ValueKey, valueBinding } from '@keyferry/store';
import { judgeBy } from '@keyferry/validation';

/** A value that was stored earlier, as a version or a backup, still sealed. */
export interface EarlierValue {
  source: 'rollback' | 'backup';
  version: number;
  ciphertext: Buffer;
  encryption_key_id: string;
  content_type: string;
  metadata: Record<string, string>;
  remote_version: string | null;
  remote_created_at: Date | null;
}

/**
 * Serves an earlier value of a locked key again, as a new version. It is opened and sealed anew, since a ciphertext is bound
 * to its version: nowhere else is the value in clear. Returns the key as it is then, or null if it has that value already.
 */
export async function serveEarlier(
  tx: Tx,
  key: ValueKey,
  value: EarlierValue,
  context: { backend: Backend; lifecycle: Lifecycle; keys: TenantKeys; now: Date },
): Promise<ValueKey | null> {
  const { backend, lifecycle, keys, now } = context;
  const binding = (version: number) => valueBinding(backend.tenant_id, key.id, version);
  const sealed = { ciphertext: value.ciphertext, encryptionKeyId: value.encryption_key_id };
  const plaintext = await keys.unseal(sealed, binding(value.version));
  try {
    const digest = keys.digest(plaintext);
    if (digest.equals(key.localDigest)) return null;
    const version = key.version + 1;
    const added = {
      version,
      source: value.source,
      ...keys.seal(plaintext, binding(version)),
      type: judgeBy(backend.validation_rules).judge(key.localPath, plaintext, value.metadata.type).type,
      contentType: value.content_type,
      metadata: value.metadata,
      remoteVersion: value.remote_version,
      remoteCreatedAt: value.remote_created_at,
      digest,
    };
    return await addVersion(tx, key, added, { lifecycle, maxVersions: backend.max_versions, now });
  } finally {
    plaintext.fill(0);
  }
}

/** The backend of a key, a removed one too. */
export function backendOf(backends: Map<string, Backend>, { backendId }: { backendId: string }): Backend {
  const backend = backends.get(backendId);
  if (!backend) throw new Error('A key came without its backend.');
  return backend;
}
