import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { Denial } from './access.ts';
import { pemOf } from './keys.ts';
import type { GcpState } from './state.ts';
import type { Secret } from './store.ts';
import type { AccessToken, ServiceAccount } from './tokens.ts';

export interface Snapshot {
  controlToken: string;
  accounts: (Omit<ServiceAccount, 'key'> & { privateKey: string })[];
  tokens: Map<string, AccessToken>;
  grants: Map<string, Set<string>>;
  denials: Map<string, Denial[]>;
  machineAccount: string | null;
  projects: { id: string; number: string; stores: { location: string; secrets: Secret[] }[] }[];
}

/** Projects, secrets, service accounts and tokens; pools are made anew by whoever made them. */
export function snapshotOf(state: GcpState, controlToken: string): Snapshot {
  return {
    controlToken,
    accounts: [...state.accounts.values()].map(({ key, ...account }) => ({
      ...account,
      privateKey: pemOf(key.privateKey),
    })),
    tokens: state.tokens.given,
    grants: state.access.grants,
    denials: state.access.denials,
    machineAccount: state.machineAccount,
    projects: [...state.projects.values()].map(({ id, number, stores }) => ({
      id,
      number,
      stores: [...stores].map(([location, { secrets }]) => ({ location, secrets: [...secrets.values()] })),
    })),
  };
}

/** Puts a saved state in the place of what a new emulator has. */
export function restoreState(state: GcpState, snapshot: Snapshot): void {
  state.accounts.clear();
  for (const { privateKey: pem, ...account } of snapshot.accounts) {
    const privateKey = createPrivateKey(pem);
    state.accounts.set(account.email, { ...account, key: { privateKey, publicKey: createPublicKey(privateKey) } });
  }
  for (const [token, given] of snapshot.tokens) state.tokens.given.set(token, given);
  for (const [identity, projects] of snapshot.grants) state.access.grants.set(identity, projects);
  for (const [identity, denials] of snapshot.denials) state.access.denials.set(identity, denials);
  state.machineAccount = snapshot.machineAccount;
  for (const { id, number, stores } of snapshot.projects) {
    const project = state.createProject(id, number);
    for (const { location, secrets } of stores)
      for (const secret of secrets) state.store(project, location).put(secret);
  }
}
