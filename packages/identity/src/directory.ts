import { KeyferryError } from '@keyferry/core';
import { accessRevisions, asStoreError, readAccess, type Store } from '@keyferry/store';
import { compiledGrants } from './compiled-grants.ts';
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
  /** Something of a tenant was changed through this process, or of any: from now on Postgres is asked before it is used. */
  changed(tenantId: string | null): void;
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
  const compiled = compiledGrants();
  const loads = new Map<string, Promise<TenantAccess | null>>();
  let checking: Promise<void> | null = null;
  /** Of each question that Postgres is being asked, whose answer doesn't count since something was changed here. */
  const questions = new Set<Set<string>>();

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

  /** Runs a question, and hands its answer on with those whom it is not right of any more. */
  async function asking<Answer>(question: () => Promise<Answer>): Promise<[Answer, ReadonlySet<string>]> {
    const outdated = new Set<string>();
    questions.add(outdated);
    try {
      return [await question(), outdated];
    } finally {
      questions.delete(outdated);
    }
  }

  async function ask(): Promise<void> {
    const began = now().getTime();
    const ids = entries.keys();
    const [revisions, outdated] = await asking(() => accessRevisions(store, ids));
    for (const id of ids) {
      const entry = entries.get(id);
      // What was loaded since then is newer than what was asked.
      if (!entry || entry.checkedAt > began || outdated.has(id)) continue;
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
    const began = now().getTime();
    const [stored, outdated] = await asking(() => store.inTenant(tenantId, (tx) => readAccess(tx, tenantId)));
    if (!stored) {
      entries.delete(tenantId);
      return null;
    }
    const access = tenantAccess(stored, compiled);
    const checkedAt = outdated.has(tenantId) ? Number.NEGATIVE_INFINITY : began;
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
    changed(tenantId) {
      for (const id of tenantId === null ? [...entries.keys(), ...loads.keys()] : [tenantId]) {
        for (const outdated of questions) outdated.add(id);
        loads.delete(id);
        const entry = entries.get(id);
        if (entry) entry.checkedAt = Number.NEGATIVE_INFINITY;
      }
    },
  };
}
