import { KeyferryError } from '@keyferry/core';
import { accessRevisions, asStoreError, readAccess, type Store } from '@keyferry/store';
import { keepAtMost } from './kept.ts';
import { type TenantAccess, tenantAccess } from './tenant-access.ts';
import { within } from './within.ts';

/** What a process keeps of who may do what, as Postgres tells it. */
export interface Directory {
  /**
   * What is right of a tenant, or was up to two seconds ago, at `revision` or later. Null where there is no such tenant.
   * Rejects with `database_unavailable` where nobody can tell, and nothing is known that is young enough.
   */
  accessOf(tenantId: string, revision?: number): Promise<TenantAccess | null>;
  /** Something was changed through this process: from now on Postgres is asked before anything is used. */
  changed(): void;
}

/** From one look at the revisions to the next, where requests come all the time. */
const checkIntervalMs = 500;
/** What is older is not used before Postgres was asked again. */
const freshMs = 2_000;
/** Nothing older than this is used where Postgres doesn't answer. */
export const longestAbsenceMs = 30_000;
/** Whoever asks waits for Postgres no longer than this if there is something to go by, and than that if there is not. */
const patienceMs = 2_000;
const longestWaitMs = 10_000;
/** What is kept of all tenants, in characters of JSON. */
const mostKept = 64 * 1024 * 1024;
/** What a tenant counts beside: there are no more of them than one query may well ask for. */
const overhead = 16 * 1024;

interface Entry {
  access: TenantAccess;
  /** When Postgres last said that it is so, in milliseconds since the epoch. */
  checkedAt: number;
  /** What Postgres has said since: another revision than that of `access` means that this is not to be used any more. */
  latest: number;
}

export function createDirectory({ store, now }: { store: Store; now: () => Date }): Directory {
  const entries = keepAtMost<Entry>(mostKept);
  const loads = new Map<string, Promise<TenantAccess | null>>();
  let checking: Promise<void> | null = null;
  /** Raised by each change here: what was asked before it doesn't count. */
  let changes = 0;

  const ageOf = ({ checkedAt }: Entry) => Math.abs(now().getTime() - checkedAt);
  /** What is kept of a tenant if it isn't known to be outdated, and is no older. */
  function kept(tenantId: string, revision: number, oldestMs: number): Entry | null {
    const entry = entries.get(tenantId);
    if (!entry || ageOf(entry) > oldestMs) return null;
    const { access, latest } = entry;
    return access.revision === latest && access.revision >= revision ? entry : null;
  }

  /** Asks for the revisions of all tenants that are kept, in one query. */
  function check(): Promise<void> {
    checking ??= ask().finally(() => {
      checking = null;
    });
    return checking;
  }

  async function ask(): Promise<void> {
    const began = now().getTime();
    const [ids, before] = [entries.keys(), changes];
    const revisions = await accessRevisions(store, ids);
    if (before !== changes) return;
    for (const id of ids) {
      const entry = entries.get(id);
      // What was loaded since then is newer than what was asked.
      if (!entry || entry.checkedAt > began) continue;
      entry.latest = revisions.get(id) ?? 0;
      if (entry.latest === entry.access.revision) entry.checkedAt = began;
    }
  }

  function load(tenantId: string): Promise<TenantAccess | null> {
    const under = loads.get(tenantId);
    if (under) return under;
    const loading = read(tenantId).finally(() => {
      if (loads.get(tenantId) === loading) loads.delete(tenantId);
    });
    loads.set(tenantId, loading);
    return loading;
  }

  async function read(tenantId: string): Promise<TenantAccess | null> {
    const [began, before] = [now().getTime(), changes];
    const stored = await store.inTenant(tenantId, (tx) => readAccess(tx, tenantId));
    if (!stored) {
      entries.delete(tenantId);
      return null;
    }
    const access = tenantAccess(stored);
    const checkedAt = before === changes ? began : Number.NEGATIVE_INFINITY;
    entries.set(tenantId, { access, checkedAt, latest: access.revision }, JSON.stringify(stored).length + overhead);
    return access;
  }

  /** What is right now. */
  async function current(tenantId: string, revision: number): Promise<TenantAccess | null> {
    const entry = entries.get(tenantId);
    if (entry && ageOf(entry) > freshMs) await check();
    const known = kept(tenantId, revision, freshMs);
    if (known) return known.access;
    const access = await load(tenantId);
    // Where somebody had begun before.
    return access && access.revision < revision ? await load(tenantId) : access;
  }

  return {
    async accessOf(tenantId, revision = 0) {
      const known = kept(tenantId, revision, freshMs);
      if (known) {
        if (ageOf(known) > checkIntervalMs) check().catch(() => {});
        return known.access;
      }
      const answer = current(tenantId, revision);
      // Where nobody waits for it any more.
      answer.catch(() => {});
      const fallback = () => kept(tenantId, revision, longestAbsenceMs);
      try {
        const found = await within(answer, fallback() ? patienceMs : longestWaitMs);
        if (found !== undefined) return found;
      } catch (error) {
        if (!fallback()) throw asStoreError(error);
      }
      const usable = fallback();
      if (usable) return usable.access;
      throw new KeyferryError('database_unavailable', 'The database did not answer in time.');
    },
    changed() {
      changes += 1;
      loads.clear();
      for (const id of entries.keys()) {
        const entry = entries.get(id);
        if (entry) entry.checkedAt = Number.NEGATIVE_INFINITY;
      }
    },
  };
}
