import { randomUUID } from 'node:crypto';
import type { Flavour } from './answer.ts';
import type { AuthMount } from './auth-roles.ts';
import type { Clock } from './clock.ts';
import { KvV1Store } from './kv-v1-store.ts';
import { type KvV2Config, KvV2Store } from './kv-v2-store.ts';
import { AccessList, defaultPolicy, type PolicyRules } from './policies.ts';
import { type Token, TokenStore } from './tokens.ts';
import { TransitStore } from './transit-store.ts';

export interface Mount {
  /** Ends in a slash. */
  path: string;
  accessor: string;
  uuid: string;
  store: KvV1Store | KvV2Store;
}

export interface Namespace {
  /** `''` for the root, else ends in a slash. */
  path: string;
  mounts: Map<string, Mount>;
  /** Mounts of the transit engine. They are not kept when an emulator's state is. */
  transits: Map<string, TransitStore>;
  auths: Map<string, AuthMount>;
  policies: Map<string, PolicyRules>;
}

/** What sys/health tells of the node. */
export type NodeMode = 'active' | 'standby' | 'dr_secondary' | 'performance_standby' | 'uninitialized';

/** All that the emulated server knows. */
export class VaultState {
  readonly clock: Clock;
  readonly flavour: Flavour;
  readonly tokens: TokenStore;
  readonly namespaces = new Map<string, Namespace>();
  sealed = false;
  mode: NodeMode = 'active';
  /** Raised with every change of a policy, so that access lists are built anew. */
  policyGeneration = 0;
  maxEntryBytes: number;

  constructor(clock: Clock, flavour: Flavour, maxEntryBytes: number) {
    this.clock = clock;
    this.flavour = flavour;
    this.maxEntryBytes = maxEntryBytes;
    this.tokens = new TokenStore(clock, flavour);
    this.namespace('');
  }

  /** The namespace of this path, made if there is none. */
  namespace(path: string): Namespace {
    const name = slashed(path);
    let namespace = this.namespaces.get(name);
    if (namespace === undefined) {
      const policies = new Map([['default', defaultPolicy]]);
      namespace = { path: name, mounts: new Map(), transits: new Map(), auths: new Map(), policies };
      this.namespaces.set(name, namespace);
    }
    return namespace;
  }

  enable(namespace: string, path: string, version: 1 | 2, config: Partial<KvV2Config> = {}): Mount {
    const { mounts } = this.namespace(namespace);
    const name = slashed(path);
    if (mounts.has(name)) throw new Error(`path is already in use at ${name}`);
    const store = version === 2 ? new KvV2Store(this.clock, config) : new KvV1Store();
    const mount = { path: name, accessor: newAccessor('kv'), uuid: randomUUID(), store };
    mounts.set(name, mount);
    return mount;
  }

  /** A mount of the transit engine; the one that is there, if there is one. */
  transit(namespace: string, path: string): TransitStore {
    const { transits } = this.namespace(namespace);
    const store = transits.get(slashed(path)) ?? new TransitStore(() => this.clock.now());
    transits.set(slashed(path), store);
    return store;
  }

  accessList(token: Token): AccessList {
    return this.tokens.accessList(token, this.policyGeneration, () => {
      const { policies } = this.namespace(token.namespace);
      return new AccessList(token.policies.map((name) => policies.get(name) ?? {}));
    });
  }
}

/** The mount that serves a path within its namespace: the longest that fits. */
export function mountOf<Value>(
  mounts: ReadonlyMap<string, Value>,
  path: string,
): { name: string; mount: Value } | null {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const name = path.slice(0, end + 1);
    const mount = mounts.get(name);
    if (mount !== undefined) return { name, mount };
  }
  return null;
}

export function newAccessor(type: string): string {
  return `${type}_${randomUUID().slice(0, 8)}`;
}

/** Without a leading slash, with a trailing one; `''` stays. */
export function slashed(path: string): string {
  const trimmed = path.replace(/^\/+|\/+$/g, '');
  return trimmed === '' ? '' : `${trimmed}/`;
}
