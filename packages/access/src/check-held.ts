import type { ServedBackend } from './change-feed.ts';
import { couldNotAsk } from './could-not-ask.ts';
import type { HeldSecret } from './held-secret.ts';
import type { Reading } from './load-secrets.ts';
import { readVault } from './read-vault.ts';

const batchSize = 100;

/**
 * Reads proxied values in memory anew, one batch after the other, and tells which of them are others by now, or gone. Ones
 * that nobody may be given any more are left to go by themselves.
 */
export async function checkHeld(
  { services, cache, feed, tenantId }: Reading,
  forget: (paths: string[]) => void,
): Promise<void> {
  const held = cache.held(tenantId).filter(({ source }) => source === 'vault');
  for (const [backendId, secrets] of Map.groupBy(held, (secret) => secret.backendId)) {
    const served = feed.backends.find(({ backend }) => backend.id === backendId);
    if (!served) forget(secrets.map(({ path }) => path));
    else
      for (let start = 0; start < secrets.length; start += batchSize)
        forget(await changedAmong(services, served, secrets.slice(start, start + batchSize)));
  }
}

async function changedAmong(
  services: Reading['services'],
  served: ServedBackend,
  secrets: readonly HeldSecret[],
): Promise<string[]> {
  const changed: string[] = [];
  const wanted = new Map(secrets.map((secret) => [secret.remotePath ?? '', secret]));
  await readVault(services, served, wanted, ({ path, etag }, outcome) => {
    const same = 'secret' in outcome ? outcome.secret.etag === etag : couldNotAsk(outcome.error);
    if (!same) changed.push(path);
  });
  return changed;
}
