import { classOf, KeyferryError } from '@keyferry/core';
import { type FetchOutcome, untilAborted, type VaultBackend, type VaultDefinition } from '@keyferry/vaults';
import { type BackendToOpen, connect, type LiveBackend } from './connect.ts';
import type { PoolOptions } from './context.ts';
import { versionOf } from './credential-sources.ts';
import { defaultLimits } from './limits.ts';
import type { Generation } from './resolve-references.ts';
import { credentialsRefused, restAfter, verdictOn } from './rotation.ts';
import type { CallStatistics } from './statistics.ts';

export type { BackendToOpen } from './connect.ts';
export type { PoolOptions } from './context.ts';

/** A vault, shared with whoever else has opened the same backend. */
export interface Connection extends VaultBackend, AsyncDisposable {
  readonly capabilities: VaultDefinition['capabilities'];
  /** Attempts since the connection was made, by whoever shares it. */
  readonly statistics: CallStatistics;
  /** Why new credentials are not used, where the former ones still are. */
  readonly refusedCredentials: KeyferryError | null;
  /** Ends this use of it. What is shared stays open while others use it, and for a while after. */
  close(): Promise<void>;
}

export interface ConnectionPool {
  /**
   * Connects, or joins who is connected. Makes no call to the vault, unless credentials that are kept elsewhere have
   * changed or were refused: then the new ones are tried, and the former ones go on where only those work. Rejects with
   * `backend_kind_unknown`, `config_invalid`, `reference_*`, `credentials_*`, `vault_unauthenticated` for credentials that
   * were never exchanged, what `settings` rejects with, or the signal's reason; the next one to open tries again.
   */
  open(backend: BackendToOpen, signal: AbortSignal): Promise<Connection>;
  /** Closes every connection, used or not: revokes tokens, closes sockets. */
  close(): Promise<void>;
}

interface Shared {
  fingerprint: string;
  live: Promise<LiveBackend>;
  users: number;
  closing: Promise<void> | null;
  idleTimer: NodeJS.Timeout | undefined;
  /** The vault has refused its credentials since they were read. */
  suspect: boolean;
  /** Newer credentials than these, of which it is not known that they work, or that are known not to. */
  newer: { version: string; failures: number; restUntil: number; error: KeyferryError | null } | null;
}

/**
 * One live connection for each backend of a process. New settings or credentials get a new one; the old one ends with its
 * users.
 */
export function createConnectionPool(options: PoolOptions): ConnectionPool {
  const idleMs = options.limits?.idleMs ?? defaultLimits.idleMs;
  const now = options.now ?? Date.now;
  const current = new Map<string, Shared>();
  const all = new Set<Shared>();
  const rotating = new Map<string, Promise<Shared>>();
  let closed = false;

  function shut(shared: Shared): Promise<void> {
    clearTimeout(shared.idleTimer);
    shared.closing ??= shared.live
      .then(
        ({ backend }) => backend.close(),
        () => {},
      )
      .finally(() => all.delete(shared));
    return shared.closing;
  }

  function begin(backend: BackendToOpen, generation: Generation): Shared {
    const live = connect(backend, options, generation);
    const { fingerprint } = backend;
    const shared: Shared = {
      fingerprint,
      live,
      users: 0,
      closing: null,
      idleTimer: undefined,
      suspect: false,
      newer: null,
    };
    all.add(shared);
    // What could not be made is not kept: the next one to open tries again.
    live.catch(() => forget(backend.id, shared));
    return shared;
  }

  function replace(id: string, next: Shared): Shared {
    const known = current.get(id);
    current.set(id, next);
    if (known && known !== next && known.users === 0) void shut(known);
    return next;
  }

  function forget(id: string, shared: Shared) {
    if (current.get(id) === shared) current.delete(id);
    return shut(shared);
  }

  /** The connection to use now: the one there is, unless its settings or its credentials are not what they were. */
  async function share(backend: BackendToOpen): Promise<Shared> {
    const known = current.get(backend.id);
    if (!known || known.closing || known.fingerprint !== backend.fingerprint) return await first(backend);
    const { sources, version } = await known.live;
    if (sources.keys.length === 0 && sources.file === null) return known;
    const found = await versionOf(sources, backend.keys);
    const { newer } = known;
    if (newer?.version === found && now() < newer.restUntil && !known.suspect) return known;
    // A value from before bears the version of what it stands in for, which is to be tried again.
    if (newer === null && found === version && !known.suspect) return known;
    const pending = rotating.get(backend.id);
    if (pending) return await pending;
    const rotation = rotate(backend, known, found).finally(() => rotating.delete(backend.id));
    rotating.set(backend.id, rotation);
    return await rotation;
  }

  /** A process that knows nothing yet goes back to the value before, where a key's newest can't even be read as credentials. */
  async function first(backend: BackendToOpen): Promise<Shared> {
    const shared = replace(backend.id, begin(backend, 'current'));
    try {
      await shared.live;
      return shared;
    } catch (error) {
      const verdict = await verdictOn(shared.live);
      if (typeof verdict === 'string' || !('refused' in verdict)) throw error;
      const former = begin(backend, 'previous');
      if ((await verdictOn(former.live)) !== 'accepted') {
        void shut(former);
        throw error;
      }
      return await keepFormer(backend.id, former, (await former.live).version, verdict.refused);
    }
  }

  async function keepFormer(id: string, former: Shared, version: string, why: KeyferryError): Promise<Shared> {
    former.suspect = false;
    rest(former, version, credentialsRefused(why));
    return replace(id, former);
  }

  /** Leaves newer credentials alone for a while, the longer the more often they failed. */
  function rest(shared: Shared, version: string, error: KeyferryError | null): void {
    const failures = shared.newer?.version === version ? shared.newer.failures + 1 : 1;
    shared.newer = { version, failures, restUntil: now() + restAfter(failures), error };
  }

  /** Takes new credentials if the vault does, else stays with those that work. */
  async function rotate(backend: BackendToOpen, known: Shared, version: string): Promise<Shared> {
    // In use until this is over: else it may be closed for idleness while it is asked.
    clearTimeout(known.idleTimer);
    known.users++;
    try {
      return await decide(backend, known, version);
    } finally {
      await leave(backend.id, known);
    }
  }

  async function decide(backend: BackendToOpen, known: Shared, version: string): Promise<Shared> {
    const next = begin(backend, 'current');
    const verdict = await verdictOn(next.live);
    if (verdict === 'accepted') return replace(backend.id, next);
    if (verdict === 'unknown') {
      void shut(next);
      rest(known, version, known.newer?.error ?? null);
      return known;
    }
    if ('withdrawn' in verdict) {
      void shut(next);
      current.delete(backend.id);
      throw verdict.withdrawn;
    }
    const former = known.suspect ? begin(backend, 'previous') : known;
    const works = await verdictOn(former.live);
    if (works === 'accepted') {
      void shut(next);
      return await keepFormer(backend.id, former, version, verdict.refused);
    }
    if (former !== known) void shut(former);
    if (works === 'unknown') {
      void shut(next);
      rest(known, version, known.newer?.error ?? null);
      return known;
    }
    // Nothing works: what is used fails for the reason that counts now.
    if (next.closing) {
      current.delete(backend.id);
      throw verdict.refused;
    }
    return replace(backend.id, next);
  }

  async function join(backend: BackendToOpen): Promise<{ shared: Shared; live: LiveBackend }> {
    for (;;) {
      const shared = await share(backend);
      const live = await shared.live;
      // It may have been replaced, and closed without users, just when it was found.
      if (shared.closing !== null && !closed) continue;
      clearTimeout(shared.idleTimer);
      shared.users++;
      return { shared, live };
    }
  }

  async function leave(id: string, shared: Shared) {
    shared.users--;
    if (shared.users > 0) return;
    if (current.get(id) !== shared) return shut(shared);
    shared.idleTimer = setTimeout(() => void forget(id, shared), idleMs).unref();
  }

  return {
    async open(backend, signal) {
      if (closed) throw new KeyferryError('internal', 'The connections of this process are closed.');
      const joining = join(backend);
      let left = false;
      const leaveOnce = async () => {
        if (left) return;
        left = true;
        const { shared } = await joining;
        await leave(backend.id, shared);
      };
      const { shared, live } = await untilAborted(joining, signal).catch((error) => {
        // Whoever gave up does not use it when it comes after all.
        joining.then(leaveOnce, () => {});
        throw error;
      });
      return {
        ...watched(live.backend, () => {
          shared.suspect = true;
        }),
        capabilities: live.capabilities,
        statistics: live.statistics,
        refusedCredentials: shared.newer?.error ?? null,
        close: leaveOnce,
        [Symbol.asyncDispose]: leaveOnce,
      };
    },
    async close() {
      closed = true;
      current.clear();
      await Promise.all([...all].map(shut));
    },
  };
}

/** The same backend; `refused` is called whenever the vault does not accept its credentials. */
function watched(vault: VaultBackend, refused: () => void): Omit<VaultBackend, 'close'> {
  const note = (error: unknown) => {
    if (classOf(error) === 'unauthenticated') refused();
  };
  const watch = <Result>(call: Promise<Result>): Promise<Result> => {
    call.catch(note);
    return call;
  };
  async function* watchAll<Item>(items: AsyncIterable<Item>, look: (item: Item) => void): AsyncGenerator<Item> {
    try {
      for await (const item of items) {
        look(item);
        yield item;
      }
    } catch (error) {
      note(error);
      throw error;
    }
  }
  const lookAtOutcome = (outcome: FetchOutcome) => {
    if ('error' in outcome) note(outcome.error);
  };
  return {
    probe: (signal) => watch(vault.probe(signal)),
    list: (scope, signal) => watchAll(vault.list(scope, signal), () => {}),
    fetch: (refs, signal) => watchAll(vault.fetch(refs, signal), lookAtOutcome),
    confirm: (path, signal) => watch(vault.confirm(path, signal)),
    put: (path, value, options, signal) => watch(vault.put(path, value, options, signal)),
    remove: (path, signal) => watch(vault.remove(path, signal)),
    restore: (path, signal) => watch(vault.restore(path, signal)),
    versions: (path, signal) => watch(vault.versions(path, signal)),
    readVersion: (path, version, signal) => watch(vault.readVersion(path, version, signal)),
  };
}
