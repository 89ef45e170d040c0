import { KeyferryError } from '@keyferry/core';
import { readSecrets } from '@keyferry/store';
import { repeat } from '@keyferry/telemetry';
import { createChangeFeed } from './change-feed.ts';
import { checkHeld } from './check-held.ts';
import { couldNotAsk } from './could-not-ask.ts';
import { decideSource } from './decide-source.ts';
import type { HeldSecret, SecretRead } from './held-secret.ts';
import { type ListedNames, type ListRequest, listNames } from './list-names.ts';
import { loadSecrets, type Reading } from './load-secrets.ts';
import { notServed, openStored } from './read-store.ts';
import { type RefusalOf, type Resolved, resolveReferences } from './resolve.ts';
import { createSecretCache } from './secret-cache.ts';
import type { AccessServices } from './services.ts';

export interface ReaderOptions {
  /** Most bytes that values may take in memory. */
  maxBytes?: number;
  /** From one look at what has changed to the next; null where whoever reads has to look. */
  pollMs?: number | null;
  /** From one look at proxied values in memory to the next, in milliseconds; null for none. */
  checkIntervalMs?: number | null;
}

/** Told of what may not be used any more. */
export type Change = { type: 'changed'; paths: string[] } | { type: 'flush' };

export interface Following {
  /** Another text whenever anything was changed. */
  position(): string;
  /** Whether all that happened up to two seconds ago has been told. */
  isFresh(): boolean;
  stop(): void;
}

/** Reads secrets through Keyferry: from memory, the store, or the vault, whichever is right. */
export interface SecretReader {
  /**
   * Rejects with `key_not_found`, `path_unmapped`, `path_contested`, `key_not_served`, `version_gone`, `version_unreadable`,
   * `request_invalid` for a version of what is proxied, or the failure of what couldn't be asked.
   */
  read(tenantId: string, path: string, options?: { version?: number | undefined }): Promise<SecretRead>;
  /**
   * One item a reference, in their order; what `refusalOf` says of a path is its outcome, and nothing of it is looked at.
   * Rejects with `request_invalid` where the values are too large together.
   */
  resolve(tenantId: string, references: readonly string[], refusalOf: RefusalOf): Promise<Resolved[]>;
  /** Names in their order, at most as many as asked for. Rejects as asking the vaults does. */
  list(tenantId: string, request: ListRequest): Promise<ListedNames>;
  /** Nothing that was read before is answered any more. */
  flush(tenantId: string): void;
  /** The same of these paths alone. */
  forget(tenantId: string, paths: readonly string[]): void;
  /** Tells what becomes out of date from now on. Rejects where Postgres doesn't answer. */
  follow(tenantId: string, tell: (change: Change) => void): Promise<Following>;
  /** Looks now at what has changed, as it does by itself a moment later. Rejects where Postgres doesn't answer. */
  check(tenantId: string): Promise<void>;
  /** Reads proxied values in memory anew, and drops those that are others by now. */
  checkHeld(): Promise<void>;
  close(): Promise<void>;
}

interface Tenant extends Reading {
  listeners: Set<(change: Change) => void>;
  usedAt: number;
}

const usualMaxBytes = 64 * 1024 * 1024;
const usualPollMs = 500;
const usualCheckIntervalMs = 3_600_000;
/** Who reads nothing for so long is not followed meanwhile. */
const idleMs = 10 * 60_000;

export function createSecretReader(services: AccessServices, options: ReaderOptions = {}): SecretReader {
  const cache = createSecretCache(options.maxBytes ?? usualMaxBytes);
  const tenants = new Map<string, Tenant>();
  const timers: { stop(): Promise<void> }[] = [];
  const now = () => services.now().getTime();

  function tenantOf(tenantId: string): Tenant {
    const known = tenants.get(tenantId);
    if (known) return known;
    const listeners: Tenant['listeners'] = new Set();
    const tell = (change: Change) => {
      for (const listener of listeners) listener(change);
    };
    const feed = createChangeFeed(services, tenantId, {
      changed(paths) {
        cache.drop(tenantId, paths);
        tell({ type: 'changed', paths });
      },
      flush() {
        cache.flush(tenantId);
        tell({ type: 'flush' });
      },
    });
    const tenant: Tenant = { services, cache, feed, tenantId, listeners, usedAt: now() };
    tenants.set(tenantId, tenant);
    const pollMs = options.pollMs === undefined ? usualPollMs : options.pollMs;
    const used = () => tenant.listeners.size > 0 || now() - tenant.usedAt < idleMs;
    // What fails is logged where it is asked, and asked again.
    if (pollMs !== null)
      timers.push(
        repeat(
          async () => used() && (await feed.check()),
          pollMs,
          () => {},
        ),
      );
    return tenant;
  }

  const used = (tenantId: string): Tenant => {
    const tenant = tenantOf(tenantId);
    tenant.usedAt = now();
    return tenant;
  };

  const reader: SecretReader = {
    async read(tenantId, path, { version } = {}) {
      const tenant = used(tenantId);
      if (version !== undefined) return await readVersion(tenant, path, version);
      const ready = tenant.feed.isFresh() ? inMemory(tenant, path, now()) : null;
      const outcome = ready ?? (await answersTo(tenant, [path], new Map())).get(path);
      if (!outcome || 'error' in outcome) throw outcome?.error;
      return outcome;
    },
    async resolve(tenantId, references, refusalOf) {
      const tenant = used(tenantId);
      const time = now();
      const fresh = tenant.feed.isFresh();
      return await resolveReferences(references, {
        refusalOf,
        inMemory: (path) => (fresh ? inMemory(tenant, path, time) : null),
        readAll: (paths, answers) => answersTo(tenant, paths, answers),
      });
    },
    list: (tenantId, request) => listNames(used(tenantId), request),
    flush(tenantId) {
      cache.flush(tenantId);
      for (const listener of tenants.get(tenantId)?.listeners ?? []) listener({ type: 'flush' });
    },
    forget(tenantId, paths) {
      cache.drop(tenantId, paths);
      for (const listener of tenants.get(tenantId)?.listeners ?? []) listener({ type: 'changed', paths: [...paths] });
    },
    async follow(tenantId, tell) {
      const { feed, listeners } = used(tenantId);
      if (!(await feed.ensureFresh())) throw feed.failure;
      listeners.add(tell);
      return {
        position: () => feed.position,
        isFresh: () => feed.isFresh(),
        stop: () => void listeners.delete(tell),
      };
    },
    check: (tenantId) => used(tenantId).feed.checkAnew(),
    async checkHeld() {
      for (const tenant of tenants.values()) await checkHeld(tenant, (paths) => reader.forget(tenant.tenantId, paths));
    },
    async close() {
      await Promise.all(timers.map((timer) => timer.stop()));
    },
  };
  const interval = options.checkIntervalMs === undefined ? usualCheckIntervalMs : options.checkIntervalMs;
  const logged = (error: unknown) =>
    services.log.warn({ error: error as Error }, 'proxied values in memory could not be looked at');
  if (interval !== null) timers.push(repeat(() => reader.checkHeld(), interval, logged));
  return reader;

  function inMemory(tenant: Tenant, path: string, time: number): Answer | null {
    const held = cache.get(tenant.tenantId, path);
    // What has ended may be another by now.
    if (!held || hasEnded(held, time) || Math.abs(time - held.readAt) >= held.ttlMs) return null;
    return answer(held, false, time);
  }

  async function answersTo(tenant: Tenant, paths: readonly string[], answers: Map<string, Answer>) {
    const fresh = await tenant.feed.ensureFresh();
    const wanted: string[] = [];
    const time = now();
    for (const path of paths) {
      const ready = fresh ? inMemory(tenant, path, time) : null;
      if (ready) answers.set(path, ready);
      else if (fresh || cache.get(tenant.tenantId, path)?.source === 'vault') wanted.push(path);
      else answers.set(path, fallback(tenant, path, tenant.feed.failure));
    }
    for (const [path, loading] of loadSecrets(tenant, wanted, fresh)) {
      const outcome = await loading;
      answers.set(
        path,
        'error' in outcome ? fallback(tenant, path, outcome.error) : answer(outcome.secret, false, now()),
      );
    }
    return answers;
  }

  /** What was read last, where the failure says nothing of it and it isn't too old. */
  function fallback(tenant: Tenant, path: string, error: unknown): Answer {
    const held = cache.get(tenant.tenantId, path);
    if (!held) return { error };
    if (!couldNotAsk(error)) {
      cache.drop(tenant.tenantId, [path]);
      return { error };
    }
    const time = now();
    // What is stored was right for as long as its changes were followed.
    const rightAt = held.source === 'store' ? Math.max(held.readAt, tenant.feed.checkedAt) : held.readAt;
    const young = held.maxStaleMs > 0 && Math.abs(time - rightAt) <= held.maxStaleMs;
    return young ? answer(held, true, time) : { error };
  }
}

type Answer = SecretRead | { error: unknown };

function answer(secret: HeldSecret, stale: boolean, time: number): Answer {
  if (hasEnded(secret, time)) return { error: notServed(secret.path, 'expired') };
  return { secret, stale, age: Math.max(0, Math.floor((time - secret.readAt) / 1000)) };
}

const hasEnded = ({ expiresAt }: HeldSecret, time: number) => expiresAt !== null && expiresAt.getTime() <= time;

/** Earlier versions are not kept in memory. */
async function readVersion({ services, feed, tenantId }: Tenant, path: string, version: number): Promise<SecretRead> {
  if (!(await feed.ensureFresh())) throw feed.failure;
  const keys = await services.keyring.ofTenant(tenantId);
  const [stored] = await services.store.inTenant(tenantId, (tx) => readSecrets(tx, [path], version));
  const source = decideSource(feed.backends, path, stored);
  if (source.kind === 'vault')
    throw new KeyferryError(
      'request_invalid',
      `"${path}" is read in its vault, of which there is only the current version.`,
      { details: { field: 'version' } },
    );
  const time = services.now();
  const read = answer(await openStored(source.stored, source.backend, keys, time), false, time.getTime());
  if ('error' in read) throw read.error;
  return read;
}
