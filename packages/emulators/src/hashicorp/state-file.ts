import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Secret } from './kv-v2-store.ts';
import type { PolicyRules } from './policies.ts';
import type { AuthMount, VaultState } from './state.ts';
import type { Token } from './tokens.ts';

/** How Maps and Sets are written, so that the state needs no schema of its own beside the types. */
interface Tagged {
  $map?: [unknown, unknown][];
  $set?: unknown[];
}

export interface Snapshot {
  format: 1;
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

/** Writes mounts, secrets, policies, roles and tokens, readable by the owner alone, all or nothing. */
export function saveState(state: VaultState, rootToken: string, file: string): void {
  const snapshot = {
    format: 1,
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
  const text = JSON.stringify(snapshot, (_name, value: unknown) => {
    if (value instanceof Map) return { $map: [...value] } satisfies Tagged;
    return value instanceof Set ? ({ $set: [...value] } satisfies Tagged) : value;
  });
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** A saved state, or null if there is no file. Throws on a file that isn't one. */
export function readState(file: string): Snapshot | null {
  if (!existsSync(file)) return null;
  const snapshot = JSON.parse(readFileSync(file, 'utf8'), (_name, value: Tagged | null) => {
    if (Array.isArray(value?.$map)) return new Map(value.$map);
    return Array.isArray(value?.$set) ? new Set(value.$set) : value;
  }) as Snapshot;
  if (snapshot.format !== 1) throw new Error(`${file} is no saved state of this emulator`);
  return snapshot;
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
