import { classOf, KeyferryError } from '@keyferry/core';
import type { FetchOutcome, VaultBackend, VaultDefinition } from '@keyferry/vaults';
import { type BackendToOpen, connect, type LiveBackend } from './connect.ts';
import type { PoolOptions } from './context.ts';
import { versionOf } from './credential-sources.ts';
import { defaultLimits } from './limits.ts';
import type { Generation } from './resolve-references.ts';
import { credentialsRefused, prove, verdictOf } from './rotation.ts';
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
   * `backend_kind_unknown`, `config_invalid`, `reference_*`, `credentials_cycle`, `vault_unauthenticated` for credentials
   * that were never exchanged, or what `settings` rejects with; the next one to open tries again.
   */
  open(backend: BackendToOpen): Promise<Connection>;
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
  /** Newer credentials that don't work, though these do. */
  refused: { version: string; error: KeyferryError } | null;
}

/**
 * One live connection for each backend of a process. New settings or credentials get a new one; the old one ends with its
 * users.
 */
export function createConnectionPool(options: PoolOptions): ConnectionPool {
  const idleMs = options.limits?.idleMs ?? defaultLimits.idleMs;
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

  function begin(backend: BackendToOpen, generation: Generation = 'current'): Shared {
    const live = connect(backend, options, generation);
    const { fingerprint } = backend;
    const shared: Shared = {
      fingerprint,
      live,
      users: 0,
      closing: null,
      idleTimer: undefined,
      suspect: false,
      refused: null,
    };
    all.add(shared);
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
    if (known?.fingerprint !== backend.fingerprint) return replace(backend.id, begin(backend));
    const { sources, version } = await known.live;
    if (sources.keys.length === 0 && sources.file === null) return known;
    const now = await versionOf(sources, backend.keys);
    if (now === (known.refused?.version ?? version) && !known.suspect) return known;
    const pending = rotating.get(backend.id);
    if (pending) return await pending;
    const rotation = rotate(backend, known, now).finally(() => rotating.delete(backend.id));
    rotating.set(backend.id, rotation);
    return await rotation;
  }

  /** Takes new credentials if the vault does, else stays with those that work. */
  async function rotate(backend: BackendToOpen, known: Shared, version: string): Promise<Shared> {
    const next = begin(backend);
    const verdict = await next.live.then(prove, verdictOf);
    if ('accepted' in verdict) return replace(backend.id, next);
    if ('refused' in verdict) {
      const former = known.suspect ? begin(backend, 'previous') : known;
      const works = await former.live.then(prove, verdictOf);
      if ('accepted' in works) {
        former.refused = { version, error: credentialsRefused(verdict.refused) };
        void shut(next);
        return replace(backend.id, former);
      }
      if (former !== known) void shut(former);
      // Nothing works: what is used fails for the reason that counts now.
      return replace(backend.id, next);
    }
    void shut(next);
    return known;
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
    async open(backend) {
      if (closed) throw new KeyferryError('internal', 'The connections of this process are closed.');
      const { shared, live } = await join(backend);
      let left = false;
      const close = async () => {
        if (left) return;
        left = true;
        await leave(backend.id, shared);
      };
      return {
        ...watched(live.backend, () => {
          shared.suspect = true;
        }),
        capabilities: live.capabilities,
        statistics: live.statistics,
        refusedCredentials: shared.refused?.error ?? null,
        close,
        [Symbol.asyncDispose]: close,
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
