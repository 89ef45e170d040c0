import { compileGrants, type Policy, policiesFor, type Scope } from '@keyferry/core';
import { inRanges } from '@keyferry/egress';
import type { Authenticator, Identity } from '@keyferry/identity';
import { defaultTenantId } from '@keyferry/store';

type Grant = Pick<Policy, 'pathGlob' | 'permissions'> & Partial<Policy>;

/** Who is known by tokens of their own, with policies that tests give them. */
export interface Holders extends Authenticator {
  /** Whoever has this token has these policies and scopes from now on. */
  set(token: string, policies: readonly Grant[], scopes?: readonly Scope[]): void;
  forget(token: string): void;
}

export function holders(): Holders {
  const known = new Map<string, Identity>();
  return {
    identify: (credential) => known.get(credential) ?? null,
    set(token, given, held = []) {
      const scopes = new Set(held);
      const bindings = [{ identity_id: token }];
      const policies = given.map((grant, index): Policy => {
        const id = `${token}-${index}`;
        return { id, name: id, ipRanges: [], expiresAt: null, bindings, ...grant };
      });
      const subject = { identityId: token, issuerId: null, claims: {}, scopes };
      const grants = compileGrants(policiesFor(policies, subject), inRanges);
      known.set(token, { tenantId: defaultTenantId, id: token, actor: token, operator: false, scopes, grants });
    },
    forget: (token) => void known.delete(token),
  };
}
