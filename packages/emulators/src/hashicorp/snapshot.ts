import type { AuthMount } from './auth-roles.ts';
import type { Secret } from './kv-v2-store.ts';
import type { PolicyRules } from './policies.ts';
import type { VaultState } from './state.ts';
import type { Token } from './tokens.ts';

export interface Snapshot {
  rootToken: string;
  tokens: Token[];
  namespaces: {
    path: string;
    policies: Map<string, PolicyRules>;
    auths: Map<string, AuthMount>;
    mounts: {
      path: string;
      accessor: string;
      uuid: string;
      version: 1 | 2;
      config: object;
      secrets: [string, Secret | string][];
    }[];
  }[];
}

/** Mounts, secrets, policies, roles and tokens. */
export function snapshotOf(state: VaultState, rootToken: string): Snapshot {
  return {
    rootToken,
    tokens: state.tokens.snapshot(),
    namespaces: [...state.namespaces.values()].map((namespace) => ({
      path: namespace.path,
      policies: namespace.policies,
      auths: namespace.auths,
      mounts: [...namespace.mounts.values()].map(({ path, accessor, uuid, store }) => ({
        path,
        accessor,
        uuid,
        version: store.version,
        config: store.version === 2 ? store.config : {},
        secrets: [...store.secrets.entries()],
      })),
    })),
  };
}

/** Puts a saved state into an emulator that has none. */
export function restoreState(state: VaultState, snapshot: Snapshot): void {
  state.tokens.restore(snapshot.tokens);
  for (const saved of snapshot.namespaces) {
    const namespace = state.namespace(saved.path);
    for (const [name, rules] of saved.policies) namespace.policies.set(name, rules);
    for (const [name, auth] of saved.auths) namespace.auths.set(name, auth);
    for (const { path, accessor, uuid, version, config, secrets } of saved.mounts) {
      const mount = state.enable(saved.path, path, version, config);
      Object.assign(mount, { accessor, uuid });
      for (const [name, secret] of secrets) {
        if (mount.store.version === 1 && typeof secret === 'string') mount.store.secrets.set(name, secret);
        if (mount.store.version === 2 && typeof secret !== 'string') mount.store.secrets.set(name, secret);
      }
    }
  }
  state.policyGeneration += 1;
}
