import { type Connection, withVault } from '@keyferry/connections';
import { classOf, KeyferryError, vaultFailure } from '@keyferry/core';
import type { TenantKeys } from '@keyferry/store';
import type { FetchOutcome, ListedFacts, SecretReading } from '@keyferry/vaults';
import type { ServedBackend } from './change-feed.ts';
import { proxiedEtag } from './etag.ts';
import type { HeldSecret, Outcome } from './held-secret.ts';
import type { AccessServices } from './services.ts';

/** What is proxied is its value alone: asking for what only a listing shows would be a second call. */
const nothingListed: ListedFacts = { metadata: {}, expiresAt: null, version: null, since: null };

/**
 * Reads secrets in their vault, in as few calls as it takes, and tells of each as it comes. `wanted` is by remote path. What
 * came to nothing for all of them, such as a login that failed, is told of each.
 */
export async function readVault<Wanted extends { path: string }>(
  services: AccessServices,
  served: ServedBackend,
  wanted: ReadonlyMap<string, Wanted>,
  tell: (wanted: Wanted, outcome: Outcome) => void,
): Promise<void> {
  const { backend } = served;
  const left = new Map(wanted);
  try {
    const keys = await services.keyring.ofTenant(backend.tenant_id);
    await withVault(services, backend, async (connection, deadline) => {
      for await (const { name, outcome } of fetchNames(connection, [...wanted.keys()], deadline)) {
        const one = left.get(name);
        left.delete(name);
        if (one) tell(one, read(outcome, one.path, served, keys, services.now()));
      }
    });
    // No answer is no absence.
    for (const one of left.values())
      tell(one, { error: vaultFailure('invalid', `The vault of "${backend.name}" gave no answer for "${one.path}".`) });
  } catch (error) {
    for (const one of left.values()) tell(one, { error });
  }
}

/** What came of each name: of one with a slash in front, where that may be and there is none without. */
async function* fetchNames(
  connection: Connection,
  names: readonly string[],
  deadline: AbortSignal,
): AsyncGenerator<{ name: string; outcome: FetchOutcome }> {
  const absent: string[] = [];
  for await (const outcome of connection.fetch(names.map(refOf), deadline)) {
    const isAbsent = 'error' in outcome && classOf(outcome.error) === 'not_found';
    if (isAbsent && connection.capabilities.leadingSlash && !outcome.path.startsWith('/')) absent.push(outcome.path);
    else yield { name: outcome.path, outcome };
  }
  if (absent.length === 0) return;
  for await (const outcome of connection.fetch(
    absent.map((name) => refOf(`/${name}`)),
    deadline,
  ))
    yield { name: outcome.path.slice(1), outcome };
}

const refOf = (path: string) => ({ path, facts: nothingListed });

function read(outcome: FetchOutcome, path: string, served: ServedBackend, keys: TenantKeys, now: Date): Outcome {
  if ('reading' in outcome) return { secret: heldFrom(outcome.reading, outcome.path, path, served, keys, now) };
  const failureClass = classOf(outcome.error);
  if (failureClass !== 'not_found' && failureClass !== 'deleted') return { error: outcome.error };
  const why = failureClass === 'deleted' ? 'has deleted the secret of' : 'has no secret for';
  return { error: new KeyferryError('key_not_found', `The vault of "${served.backend.name}" ${why} "${path}".`) };
}

function heldFrom(
  reading: SecretReading,
  remotePath: string,
  path: string,
  { backend, cacheTimes }: ServedBackend,
  keys: TenantKeys,
  now: Date,
): HeldSecret {
  const times = cacheTimes(path);
  return {
    path,
    source: 'vault',
    value: reading.value,
    version: null,
    remoteVersion: reading.version,
    state: 'active',
    type: null,
    contentType: reading.contentType,
    expiresAt: reading.expiresAt,
    backendId: backend.id,
    backend: backend.name,
    remotePath,
    etag: proxiedEtag(backend.id, keys.digest(reading.value.reveal())),
    readAt: now.getTime(),
    ttlMs: times.ttl * 1000,
    maxStaleMs: times.maxStale * 1000,
  };
}
