import type { PolicyAnswer, PolicyChecked } from '@keyferry/contracts';
import type { NearMiss } from '@keyferry/core';
import { type StoredPolicy, subjectNames, type Tx } from '@keyferry/store';
import { shownTime } from './key.ts';

/** How these policies are shown, with the names of those they are for as those are now. */
export async function policyView(
  tx: Tx,
  policies: readonly StoredPolicy[],
): Promise<(policy: StoredPolicy) => PolicyAnswer> {
  const names = await subjectNames(tx, policies);
  const nameOf = (id: string) => names.get(id) ?? null;
  return (policy) => ({
    id: policy.id,
    name: policy.name,
    path_glob: policy.path_glob,
    permissions: policy.permissions,
    ip_ranges: policy.ip_ranges,
    expires_at: shownTime(policy.expires_at),
    bindings: policy.bindings.map((binding) =>
      'identity_id' in binding
        ? { ...binding, identity: nameOf(binding.identity_id) }
        : { ...binding, issuer: nameOf(binding.issuer_id) },
    ),
    created_by: policy.created_by,
    created_at: policy.created_at.toISOString(),
    updated_at: policy.updated_at.toISOString(),
  });
}

export const showMiss = ({ policy, reasons }: NearMiss): PolicyChecked['misses'][number] => ({
  id: policy.id,
  name: policy.name,
  path_glob: policy.pathGlob,
  permissions: [...policy.permissions],
  ip_ranges: [...policy.ipRanges],
  expires_at: shownTime(policy.expiresAt),
  reasons,
});
