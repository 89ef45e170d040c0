import { KeyferryError } from '@keyferry/core';
import type { VaultBackend, VaultDefinition } from '@keyferry/vaults';
import { connect, type LiveBackend } from './connect.ts';
import type { PoolOptions } from './context.ts';
import { defaultLimits } from './limits.ts';
import type { CallStatistics } from './statistics.ts';

export type { PoolOptions } from './context.ts';

export interface BackendToOpen {
  id: string;
  kind: string;
  /** Changes whenever the settings do; the settings are read only if no connection with it is open. */
  fingerprint: string;
  /** The configuration with its plaintext or references under `auth`. */
  settings(): Promise<unknown> | unknown;
}

/** A vault, shared with whoever else has opened the same backend. */
export interface Connection extends VaultBackend, AsyncDisposable {
  readonly capabilities: VaultDefinition['capabilities'];
  /** Attempts since the connection was made, by whoever shares it. */
  readonly statistics: CallStatistics;
  /** Ends this use of it. What is shared stays open while others use it, and for a while after. */
  close(): Promise<void>;
}

export interface ConnectionPool {
  /**
   * Connects, or joins who is connected. Makes no call to the vault. Rejects with `backend_kind_unknown`,
   * `config_invalid`, `reference_*`, `vault_unauthenticated` for credentials that were never exchanged, or what
   * `settings` rejects with; the next one to open tries again.
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
}

/** One live connection for each backend of a process. New settings get a new one; the old one ends with its users. */
export function createConnectionPool(options: PoolOptions): ConnectionPool {
  const limits = { ...defaultLimits, ...options.limits };
  const current = new Map<string, Shared>();
  const all = new Set<Shared>();
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

  function share({ id, kind, fingerprint, settings }: BackendToOpen): Shared {
    const known = current.get(id);
    if (known?.fingerprint === fingerprint) return known;
    const live = (async () => connect(kind, await settings(), options, limits))();
    const shared: Shared = { fingerprint, live, users: 0, closing: null, idleTimer: undefined };
    current.set(id, shared);
    all.add(shared);
    live.catch(() => forget(id, shared));
    if (known?.users === 0) void shut(known);
    return shared;
  }

  function forget(id: string, shared: Shared) {
    if (current.get(id) === shared) current.delete(id);
    return shut(shared);
  }

  async function leave(id: string, shared: Shared) {
    shared.users--;
    if (shared.users > 0) return;
    if (current.get(id) !== shared) return shut(shared);
    shared.idleTimer = setTimeout(() => void forget(id, shared), limits.idleMs).unref();
  }

  return {
    async open(backend) {
      if (closed) throw new KeyferryError('internal', 'The connections of this process are closed.');
      const shared = share(backend);
      clearTimeout(shared.idleTimer);
      shared.users++;
      const { backend: vault, capabilities, statistics } = await shared.live;
      let left = false;
      const close = async () => {
        if (left) return;
        left = true;
        await leave(backend.id, shared);
      };
      return {
        probe: (signal) => vault.probe(signal),
        list: (scope, signal) => vault.list(scope, signal),
        fetch: (paths, signal) => vault.fetch(paths, signal),
        confirm: (path, signal) => vault.confirm(path, signal),
        capabilities,
        statistics,
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
