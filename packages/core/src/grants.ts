import { type Claims, claimsMatch } from './claims.ts';
import { type Glob, parseGlob } from './glob.ts';
import type { Scope } from './permission.ts';
import type { Grants, Policy } from './policy.ts';

/** Whom policies are chosen for. */
export interface Subject {
  /** One of the tenant's identities. */
  identityId: string | null;
  /** What a signed token says, and whose it is. */
  signed: { issuerId: string; claims: Claims } | null;
  scopes: ReadonlySet<Scope>;
}

/** Those that apply to a subject. What matches every path is for who has the scope `settings` alone. */
export function policiesFor(policies: readonly Policy[], { identityId, signed, scopes }: Subject): Policy[] {
  return policies.filter(
    ({ bindings, pathGlob }) =>
      (scopes.has('settings') || /[^*?/]/.test(pathGlob)) &&
      bindings.some((binding) =>
        'identity_id' in binding
          ? binding.identity_id === identityId
          : binding.issuer_id === signed?.issuerId && claimsMatch(signed.claims, binding.claims),
      ),
  );
}

/** Several policies as one. `inRange` tells whether an address is in one of the ranges. */
export function compileGrants(
  policies: readonly Policy[],
  inRange: (address: string, ranges: readonly string[]) => boolean,
): Grants {
  const compiled = policies.map((policy): { policy: Policy; glob: Glob } => ({
    policy,
    glob: parseGlob(policy.pathGlob),
  }));
  return {
    find: (permission, path, { address, now }) =>
      compiled.find(
        ({ policy: { permissions, ipRanges, expiresAt }, glob }) =>
          (permissions.includes(permission) || permissions.includes('admin')) &&
          (expiresAt === null || now < expiresAt) &&
          (ipRanges.length === 0 || (address !== null && inRange(address, ipRanges))) &&
          glob.test(path),
      )?.policy ?? null,
  };
}
