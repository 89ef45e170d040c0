import { KeyferryError, SecretValue } from '@keyferry/core';
import { openVersion, type StoredSecret, type TenantKeys } from '@keyferry/store';
import type { ServedBackend } from './change-feed.ts';
import { storedEtag } from './etag.ts';
import type { HeldSecret } from './held-secret.ts';

/** A change that no event tells of, as of a time at which a key ends, is seen after so long. */
const storedTtlMs = 30_000;
const usualMaxStaleMs = 3_600_000;

/**
 * A stored key's value, opened. Rejects with `key_not_served`; `version_gone` and `version_unreadable` for a version that was
 * asked for by its number; `decryption_failed`.
 */
export async function openStored(
  stored: StoredSecret,
  backend: ServedBackend | null,
  keys: TenantKeys,
  now: Date,
): Promise<HeldSecret> {
  const { localPath: path, state, version } = stored;
  if (state !== 'active' && state !== 'deprecated') throw notServed(path, state);
  if (!version) throw new KeyferryError('version_gone', `That version of "${path}" is not kept.`);
  if (version.number !== stored.current && !(version.readableUntil && version.readableUntil > now))
    throw new KeyferryError('version_unreadable', `Version ${version.number} of "${path}" may be read no longer.`);
  return {
    path,
    source: 'store',
    value: new SecretValue(await openVersion(stored, version, keys)),
    version: version.number,
    remoteVersion: version.remoteVersion,
    state,
    type: stored.type,
    contentType: version.contentType,
    expiresAt: stored.expiresAt,
    backendId: stored.backendId,
    backend: stored.backend,
    remotePath: null,
    etag: storedEtag(stored.id, version.number),
    readAt: now.getTime(),
    ttlMs: storedTtlMs,
    maxStaleMs: backend ? backend.cacheTimes(path).maxStale * 1000 : usualMaxStaleMs,
  };
}

export const notServed = (path: string, state: string): KeyferryError =>
  new KeyferryError('key_not_served', `"${path}" is not served any more: it is ${state}.`, { details: { state } });
