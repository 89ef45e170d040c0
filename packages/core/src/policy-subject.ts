import { type Claims, claimsMatch } from './claims.ts';
import type { Scope } from './permission.ts';
import type { Policy, PolicyBinding } from './policy.ts';

/** Whom policies may be for: an identity, whoever an issuer's token says these claims of, or both. */
export interface Subject {
  identityId: string | null;
  issuerId: string | null;
  claims: Claims;
  scopes: ReadonlySet<Scope>;
}

/** Those that apply to a subject. A policy of all paths is for nobody who might not make it for themselves. */
export const policiesFor = (policies: readonly Policy[], subject: Subject): Policy[] =>
  policies.filter((policy) => isBound(policy, subject) && !isTooBroad(policy, subject));

export const isBound = ({ bindings }: Policy, subject: Subject): boolean =>
  bindings.some((binding) => bindsTo(binding, subject));

export const isTooBroad = ({ pathGlob }: Policy, { scopes }: Pick<Subject, 'scopes'>): boolean =>
  isOfAllPaths(pathGlob) && !scopes.has('settings');

/** Whether a glob has nothing but wildcards. */
export const isOfAllPaths = (glob: string): boolean => /^[*?/]*$/.test(glob);

function bindsTo(binding: PolicyBinding, { identityId, issuerId, claims }: Subject): boolean {
  if ('identity_id' in binding) return binding.identity_id === identityId;
  return binding.issuer_id === issuerId && claimsMatch(claims, binding.claims);
}
