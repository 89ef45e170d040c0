import type { PolicyInput, PolicyPatch } from '@keyferry/contracts';
import { isOfAllPaths, KeyferryError } from '@keyferry/core';
import { allMaySet, bindSubjects, type PolicySettings, type StoredPolicy, type Tx } from '@keyferry/store';

/**
 * A new policy as it is stored. Throws `policy_invalid` for one that has ended already, `policy_too_broad`, `identity_not_found`
 * or `issuer_not_found`.
 */
export async function newPolicy(tx: Tx, input: PolicyInput, now: Date): Promise<PolicySettings> {
  const { bindings, allMaySet: mayBeBroad } = await bindSubjects(tx, input.bindings);
  const settings = {
    ...input,
    path_glob: input.path_glob.normalize('NFC'),
    permissions: [...new Set(input.permissions)],
    expires_at: endOf(input.expires_at, now),
    bindings,
  };
  refuseTooBroad(settings, mayBeBroad);
  return settings;
}

/** What changes of a policy, as it is stored. Throws as `newPolicy` does. */
export async function changedPolicy(
  tx: Tx,
  former: StoredPolicy,
  patch: PolicyPatch,
  now: Date,
): Promise<Partial<PolicySettings>> {
  const { name, path_glob, permissions, ip_ranges, expires_at, bindings: named } = patch;
  const bound = named && (await bindSubjects(tx, named));
  const settings: Partial<PolicySettings> = {
    ...(name !== undefined && { name }),
    ...(path_glob !== undefined && { path_glob: path_glob.normalize('NFC') }),
    ...(permissions !== undefined && { permissions: [...new Set(permissions)] }),
    ...(ip_ranges !== undefined && { ip_ranges }),
    ...(expires_at !== undefined && { expires_at: endOf(expires_at, now) }),
    ...(bound && { bindings: bound.bindings }),
  };
  const whole = { ...former, ...settings };
  refuseTooBroad(whole, bound?.allMaySet ?? (await allMaySet(tx, former.bindings)));
  return settings;
}

function endOf(expiresAt: string | null, now: Date): Date | null {
  const end = expiresAt === null ? null : new Date(expiresAt);
  if (end !== null && end <= now)
    throw new KeyferryError('policy_invalid', 'expires_at: it is over already.', { details: { field: 'expires_at' } });
  return end;
}

function refuseTooBroad({ name, path_glob }: Pick<PolicySettings, 'name' | 'path_glob'>, allMaySet: boolean): void {
  if (isOfAllPaths(path_glob) && !allMaySet)
    throw new KeyferryError(
      'policy_too_broad',
      `The glob "${path_glob}" of the policy "${name}" is of all paths, which is only for identities with the scope "settings".`,
    );
}
