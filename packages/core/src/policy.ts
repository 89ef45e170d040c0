import type { PathPermission } from './permission.ts';

/** Whom a policy is for: one of the tenant's identities, or whoever an issuer's signed token says these claims of. */
export type PolicyBinding = { identity_id: string } | { issuer_id: string; claims: Record<string, string> };

/** Grants permissions on paths. There is no other way to get one, and none that takes one away. */
export interface Policy {
  id: string;
  name: string;
  pathGlob: string;
  permissions: readonly PathPermission[];
  /** Addresses and networks (`10.0.0.0/8`) that requests have to come from; from anywhere where there are none. */
  ipRanges: readonly string[];
  expiresAt: Date | null;
  bindings: readonly PolicyBinding[];
}

/** Under what a request is made. */
export interface Circumstances {
  /** Where the request comes from; null where nobody knows. */
  address: string | null;
  now: Date;
}

/** What somebody may do with paths: several policies as one, which asking costs no query. */
export interface Grants {
  /** The policy that grants it, or null. Local paths in NFC. */
  find(permission: PathPermission, path: string, circumstances: Circumstances): Policy | null;
  /** Whether a policy grants it on any path at all. */
  anywhere(permission: PathPermission, circumstances: Circumstances): boolean;
  /** How many of the policies have ended by then: with each of them less may be granted. */
  ended(now: Date): number;
}
