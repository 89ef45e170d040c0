import { withVault } from '@keyferry/connections';
import { type FederationMode, KeyferryError } from '@keyferry/core';
import { listServedKeys } from '@keyferry/store';
import type { ListScope } from '@keyferry/vaults';
import type { ServedBackend } from './change-feed.ts';
import type { Reading } from './load-secrets.ts';
import { placesAmong } from './place.ts';
import { proxiedNames } from './proxied-names.ts';

export interface ListRequest {
  /** Leading text of the local path. */
  prefix: string;
  /** Names after this one; null from the first. */
  after: string | null;
  limit: number;
  /** Whether a name may be told; the others are as if they weren't there. */
  sees: (path: string) => boolean;
}

export interface ListedNames {
  names: ListedName[];
  /** Where looking has ended before the names did: so much that is there may not be told. */
  lookedUpTo: string | null;
}

export interface ListedName {
  path: string;
  backend: string;
  mode: FederationMode;
}

/** More names than this of proxied vaults are not held for one answer. */
const mostProxied = 10_000;
const rowsAtOnce = 1_000;
/** Stored names that are looked at for one answer. */
const mostLookedAt = 10_000;

/**
 * Names of what is served, in the order of their bytes: of the store, and of one listing of each proxied vault below what the
 * prefix leads to. Rejects with `prefix_too_broad`, or the failure of a vault: a list never lacks what it should have.
 */
export async function listNames(reading: Reading, request: ListRequest): Promise<ListedNames> {
  const { feed } = reading;
  if (!(await feed.ensureFresh())) throw feed.failure;
  const proxied = feed.backends.filter(({ federation }) => federation.has('proxy'));
  const names = new Map<string, ListedName>();
  const stored = await storedNames(reading, request);
  for (const name of stored.names) names.set(name.path, name);
  for (const served of proxied)
    for (const path of await namesInVault(reading, served, request)) {
      if (names.has(path) || !leadsTo(feed.backends, path, served)) continue;
      names.set(path, { path, backend: served.backend.name, mode: 'proxy' });
    }
  const { lookedUpTo } = stored;
  const known = [...names.values()].filter(({ path }) => lookedUpTo === null || compareBytes(path, lookedUpTo) <= 0);
  known.sort((left, right) => compareBytes(left.path, right.path));
  // What there are enough of without what has not been looked at yet needs no end before it.
  return { names: known.slice(0, request.limit), lookedUpTo: known.length >= request.limit ? null : lookedUpTo };
}

/** Keys that the store answers: all but those that are proxied by now. */
async function storedNames({ services, feed, tenantId }: Reading, request: ListRequest): Promise<ListedNames> {
  const { prefix, limit, sees } = request;
  const byId = new Map(feed.backends.map((served) => [served.backend.id, served]));
  const found: ListedName[] = [];
  let { after } = request;
  for (let lookedAt = 0; ; ) {
    const page = { prefix, after, limit: Math.max(limit, rowsAtOnce), now: services.now() };
    const rows = await services.store.inTenant(tenantId, (tx) => listServedKeys(tx, page));
    for (const { path, backendId, backend } of rows) {
      if (!sees(path)) continue;
      const own = byId.get(backendId)?.federation.placeOf(path)?.mode;
      const proxied = own !== 'sync' && proxiedAmong(feed.backends, path);
      if (!proxied) found.push({ path, backend, mode: 'sync' });
      if (found.length === limit) return { names: found, lookedUpTo: null };
    }
    after = rows.at(-1)?.path ?? null;
    if (rows.length < page.limit || after === null) return { names: found, lookedUpTo: null };
    lookedAt += rows.length;
    if (lookedAt >= mostLookedAt) return { names: found, lookedUpTo: after };
  }
}

async function namesInVault(
  { services }: Reading,
  { backend }: ServedBackend,
  { prefix, after, sees }: ListRequest,
): Promise<string[]> {
  const { folders, localOf } = proxiedNames(backend, prefix);
  if (folders.length === 0) return [];
  const wanted = (remotePath: string): string | null => {
    const path = localOf(remotePath);
    if (!path?.startsWith(prefix) || (after !== null && compareBytes(path, after) <= 0)) return null;
    return sees(path) ? path : null;
  };
  const scope: ListScope = { folders, includes: (path) => wanted(path) !== null, wantsRevision: () => false };
  return await withVault(services, backend, async (connection, deadline) => {
    const paths: string[] = [];
    for await (const page of connection.list(scope, deadline)) {
      for (const ref of page) {
        const path = ref.deleted ? null : wanted(ref.path);
        if (path !== null) paths.push(path);
      }
      if (paths.length > mostProxied)
        throw new KeyferryError(
          'prefix_too_broad',
          `The vault of "${backend.name}" has more than ${mostProxied} names that begin with "${prefix}".`,
        );
    }
    return paths;
  });
}

/** Also where it is contested: whoever reads it is told so. */
function leadsTo(backends: readonly ServedBackend[], path: string, served: ServedBackend): boolean {
  const [place, another] = placesAmong(backends, path);
  return another !== undefined || place?.backend.id === served.backend.id;
}

function proxiedAmong(backends: readonly ServedBackend[], path: string): boolean {
  const [place, another] = placesAmong(backends, path);
  return another === undefined && place?.mode === 'proxy';
}

const compareBytes = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right));
