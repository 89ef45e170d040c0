import { compileGrants, type Grants, policiesFor, type Subject } from '@keyferry/core';
import { inRanges } from '@keyferry/egress';
import type { IdentityRow, StoredAccess, TokenIssuer } from '@keyferry/store';
import { keepAtMost } from './kept.ts';

/** Who may do what in one tenant, as of one revision. */
export interface TenantAccess {
  readonly tenant: StoredAccess['tenant'];
  readonly revision: number;
  /** Identities and issuers by their ids. */
  readonly identities: ReadonlyMap<string, IdentityRow>;
  readonly issuers: ReadonlyMap<string, TokenIssuer>;
  /** What a subject may do with paths: compiled once for each set of policies. Null where no policy applies. */
  grantsOf(subject: Subject): Grants | null;
}

/** Sets of policies that are kept as grants. */
const mostGrants = 2_000;

export function tenantAccess({ tenant, revision, identities, issuers, policies }: StoredAccess): TenantAccess {
  /** By the identity alone, where no claims come with it. */
  const ofIdentity = new Map<string, Grants | null>();
  const ofPolicies = keepAtMost<Grants>(mostGrants);

  function compiled(subject: Subject): Grants | null {
    const applying = policiesFor(policies, subject);
    if (applying.length === 0) return null;
    const key = applying.map(({ id }) => id).join();
    const known = ofPolicies.get(key);
    if (known) return known;
    const grants = compileGrants(applying, inRanges);
    ofPolicies.set(key, grants);
    return grants;
  }

  return {
    tenant,
    revision,
    identities: new Map(identities.map((identity) => [identity.id, identity])),
    issuers: new Map(issuers.map((issuer) => [issuer.id, issuer])),
    grantsOf(subject) {
      if (subject.identityId === null || subject.issuerId !== null) return compiled(subject);
      const known = ofIdentity.get(subject.identityId);
      if (known !== undefined) return known;
      const grants = compiled(subject);
      ofIdentity.set(subject.identityId, grants);
      return grants;
    },
  };
}
