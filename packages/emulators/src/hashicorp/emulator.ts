import type { Socket } from 'node:net';
import type { Faults } from '../http/faults.ts';
import { Quota, type QuotaSettings } from '../http/quota.ts';
import type { RequestLog } from '../http/request-log.ts';
import { type EmulatorServer, type ListenOptions, serve } from '../http/server.ts';
import type { Flavour } from './answer.ts';
import { AuthHandle } from './auth-handle.ts';
import { Clock } from './clock.ts';
import { KvHandle } from './kv-handle.ts';
import type { KvV2Config } from './kv-v2-store.ts';
import type { PolicyRules } from './policies.ts';
import { vaultService } from './server.ts';
import { type NodeMode, slashed, VaultState } from './state.ts';
import type { TokenSettings } from './tokens.ts';
import type { TransitStore } from './transit-store.ts';

export interface VaultEmulatorOptions extends ListenOptions {
  flavour?: Flavour;
  /** Milliseconds since the epoch; every lease, deletion time and quota goes by it. */
  now?: () => number;
  rootToken?: string;
  /** The largest value that a client may write, as integrated storage limits it. 1 MiB by default. */
  maxEntryBytes?: number;
}

export interface MountOptions extends Partial<KvV2Config> {
  type: 'kv';
  version: 1 | 2;
  namespace?: string;
}

export interface VaultEmulator {
  readonly url: string;
  readonly rootToken: string;
  readonly flavour: Flavour;
  readonly faults: Faults;
  readonly requests: RequestLog;
  readonly auth: AuthHandle;
  readonly mounts: {
    enable(path: string, options: MountOptions): KvHandle;
    /** Removes a mount with all it holds. */
    disable(path: string, namespace?: string): void;
  };
  readonly policies: { write(name: string, rules: PolicyRules, namespace?: string): void };
  readonly tokens: {
    /** Returns the token. Without `ttlSeconds` it lives for 768 hours. */
    create(settings: TokenSettings): string;
    revoke(token: string): void;
    /** Revokes every token that a login gave. */
    revokeLogins(): void;
  };
  /** A namespace without mounts, unless it is there. */
  createNamespace(path: string): void;
  /** The mount at this path; throws if there is none. */
  kv(mount: string, namespace?: string): KvHandle;
  /** The transit engine at this path, which is mounted if it isn't yet. */
  transit(mount: string, namespace?: string): TransitStore;
  seal(): void;
  unseal(): void;
  setMode(mode: NodeMode): void;
  setLatency(milliseconds: number): void;
  /** Null lifts the limit. */
  setQuota(settings: QuotaSettings | null): void;
  /** How many sockets clients that have asked something hold open. */
  openSockets(): number;
  /** Stops answering and drops every connection, hanging ones too. */
  close(): Promise<void>;
}

/** What the process around an emulator needs beyond its tests: the state, to keep it, and a way in, to control it. */
export interface EmulatorInternals {
  state: VaultState;
  server: EmulatorServer;
}

const internals = new WeakMap<VaultEmulator, EmulatorInternals>();

/** Starts a stand-in of HashiCorp Vault or OpenBao. It has no mounts, and one token: root. */
export async function startVaultEmulator(options: VaultEmulatorOptions = {}): Promise<VaultEmulator> {
  const clock = new Clock(options.now ?? Date.now);
  const flavour = options.flavour ?? 'vault';
  const state = new VaultState(clock, flavour, options.maxEntryBytes ?? 1024 * 1024);
  const root = state.tokens.create({
    policies: ['root'],
    displayName: 'root',
    path: 'auth/token/root',
    ...(options.rootToken === undefined ? {} : { id: options.rootToken }),
  });
  const quota = new Quota(clock.now);
  const sockets = new Set<Socket>();
  const server = await serve(vaultService(state, quota, sockets), options);
  const kv = (mount: string, namespace = '') => {
    const found = state.namespace(namespace).mounts.get(slashed(mount));
    if (found === undefined) throw new Error(`no mount at ${mount}`);
    return new KvHandle(found.store);
  };
  const emulator: VaultEmulator = {
    url: server.url,
    rootToken: root.id,
    flavour,
    faults: server.faults,
    requests: server.requests,
    auth: new AuthHandle(state),
    mounts: {
      enable: (path, { type: _type, version, namespace = '', ...config }) => {
        state.enable(namespace, path, version, config);
        return kv(path, namespace);
      },
      disable: (path, namespace = '') => void state.namespace(namespace).mounts.delete(slashed(path)),
    },
    policies: {
      write: (name, rules, namespace = '') => {
        state.namespace(namespace).policies.set(name, rules);
        state.policyGeneration += 1;
      },
    },
    tokens: {
      create: (settings) => state.tokens.create({ ...settings, namespace: slashed(settings.namespace ?? '') }).id,
      revoke: (token) => void state.tokens.revoke(token),
      revokeLogins: () => state.tokens.revokeLogins(),
    },
    createNamespace: (path) => void state.namespace(path),
    kv,
    transit: (mount, namespace = '') => state.transit(namespace, mount),
    seal: () => {
      state.sealed = true;
    },
    unseal: () => {
      state.sealed = false;
    },
    setMode: (mode) => {
      state.mode = mode;
    },
    setLatency: (milliseconds) => {
      server.latency.milliseconds = milliseconds;
    },
    setQuota: (settings) => quota.set(settings),
    openSockets: () => sockets.size,
    close: () => server.close(),
  };
  internals.set(emulator, { state, server });
  return emulator;
}

export function internalsOf(emulator: VaultEmulator): EmulatorInternals {
  const found = internals.get(emulator);
  if (found === undefined) throw new Error('not an emulator of this process');
  return found;
}
