import type { AccessKey, Role } from './identities.ts';
import { Policy, type Statement } from './policy.ts';
import type { Secret } from './secret.ts';
import type { AwsState, Place } from './state.ts';

export interface AwsSnapshot {
  operator: { accessKeyId: string; secretAccessKey: string };
  keys: AccessKey[];
  roles: Role[];
  policies: [string, readonly Statement[]][];
  stores: (Place & { secrets: Secret[] })[];
}

/** Secrets, users, roles, policies and keys. */
export function awsSnapshotOf(state: AwsState, operator: AwsSnapshot['operator']): AwsSnapshot {
  const { identities, stores } = state;
  return {
    operator,
    keys: [...identities.keys.values()],
    roles: [...identities.roles.values()],
    policies: [...identities.policies].map(([arn, { statements }]) => [arn, statements]),
    stores: [...stores.values()].map((store) => ({
      account: store.account,
      region: store.region,
      secrets: store.all(),
    })),
  };
}

/** Puts a saved state into an emulator that has none. */
export function restoreAwsState(state: AwsState, { keys, roles, policies, stores }: AwsSnapshot): void {
  const { identities } = state;
  for (const key of keys) identities.keys.set(key.accessKeyId, key);
  for (const role of roles) identities.roles.set(role.arn, role);
  for (const [arn, statements] of policies) identities.policies.set(arn, new Policy(statements));
  for (const { secrets, ...place } of stores) {
    const store = state.store(place);
    for (const secret of secrets) store.restore(secret);
  }
}
