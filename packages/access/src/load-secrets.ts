import { KeyferryError } from '@keyferry/core';
import { readSecrets, type TenantKeys } from '@keyferry/store';
import type { ChangeFeed, ServedBackend } from './change-feed.ts';
import { decideSource, type Source } from './decide-source.ts';
import type { Outcome } from './held-secret.ts';
import { openStored } from './read-store.ts';
import { readVault } from './read-vault.ts';
import type { Load, SecretCache } from './secret-cache.ts';
import type { AccessServices } from './services.ts';

/** Whoever wants a path that is being read shares that read: one that Postgres leaves hanging must end, in milliseconds. */
const storePatienceMs = 5_000;

/** Who reads for one tenant. */
export interface Reading {
  services: AccessServices;
  cache: SecretCache;
  feed: ChangeFeed;
  tenantId: string;
}

/**
 * Reads what memory doesn't have: all stored keys in one statement, and what is proxied in its vaults, each path once for
 * all who want it at a time. What comes is kept, unless it was changed meanwhile. While Postgres can't say whose the paths
 * are, `askStore` is false: then all of them are in memory, and read where they were read last. No promise of these rejects.
 */
export function loadSecrets(
  reading: Reading,
  paths: Iterable<string>,
  askStore: boolean,
): Map<string, Promise<Outcome>> {
  const { cache, tenantId } = reading;
  const outcomes = new Map<string, Promise<Outcome>>();
  const begun = new Map<string, Load>();
  for (const path of paths) {
    const joined = cache.loading(tenantId, path);
    if (joined) {
      outcomes.set(path, joined);
      continue;
    }
    const load = cache.begin(tenantId, path);
    begun.set(path, load);
    outcomes.set(path, load.promise);
  }
  const end: End = (path, outcome, keep) => {
    begun.get(path)?.end(outcome, keep);
    begun.delete(path);
  };
  if (begun.size > 0)
    load(reading, [...begun.keys()], askStore, end).catch((error: unknown) => {
      for (const path of [...begun.keys()]) end(path, { error }, false);
    });
  return outcomes;
}

type End = (path: string, outcome: Outcome, keep: boolean) => void;

async function load(reading: Reading, paths: readonly string[], askStore: boolean, end: End): Promise<void> {
  const { services, tenantId } = reading;
  const keys = await services.keyring.ofTenant(tenantId);
  const sources = askStore
    ? await inTime(sourcesInStore(reading, paths))
    : paths.map((path) => [path, sourceInMemory(reading, path)] as const);
  const inVaults = new Map<ServedBackend, Map<string, { path: string; keep: boolean }>>();
  for (const [path, source] of sources) {
    if ('error' in source) end(path, source, false);
    else if (source.kind === 'store') end(path, await outcomeOf(services, source, keys), true);
    else {
      const { backend, remotePath, keep } = source;
      inVaults.set(backend, (inVaults.get(backend) ?? new Map()).set(remotePath, { path, keep }));
    }
  }
  await Promise.all(
    [...inVaults].map(([backend, wanted]) =>
      readVault(services, backend, wanted, ({ path, keep }, outcome) => end(path, outcome, keep)),
    ),
  );
}

type Found = readonly [path: string, source: Source | { error: unknown }];

async function sourcesInStore({ services, feed, tenantId }: Reading, paths: readonly string[]): Promise<Found[]> {
  const rows = await services.store.inTenant(tenantId, (tx) => readSecrets(tx, paths));
  const stored = new Map(rows.map((row) => [row.localPath, row]));
  const decide = () =>
    paths.map((path): Found => {
      try {
        return [path, decideSource(feed.backends, path, stored.get(path))];
      } catch (error) {
        return [path, { error }];
      }
    });
  const found = decide();
  // Whoever has just registered a backend, or changed one, finds its paths at once.
  if (!found.some(([, source]) => 'error' in source)) return found;
  await feed.checkAnew();
  return decide();
}

/** Rejects with `database_unavailable` where it takes too long. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new KeyferryError('database_unavailable', 'The database did not answer in time.')),
    storePatienceMs,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function sourceInMemory({ cache, feed, tenantId }: Reading, path: string): Source | { error: unknown } {
  const held = cache.get(tenantId, path);
  const backend = feed.backends.find((candidate) => candidate.backend.id === held?.backendId);
  if (!held?.remotePath || !backend) return { error: feed.failure };
  return { kind: 'vault', backend, remotePath: held.remotePath, keep: true };
}

async function outcomeOf(
  services: AccessServices,
  { stored, backend }: Source & { kind: 'store' },
  keys: TenantKeys,
): Promise<Outcome> {
  try {
    return { secret: await openStored(stored, backend, keys, services.now()) };
  } catch (error) {
    return { error };
  }
}
