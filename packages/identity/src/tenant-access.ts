import type { Grants, Subject } from '@keyferry/core';
import type { IdentityRow, StoredAccess, TokenIssuer } from '@keyferry/store';
import type { CompiledGrants } from './compiled-grants.ts';

/** Who may do what in one tenant, as of one revision. */
export interface TenantAccess {
  readonly tenant: StoredAccess['tenant'];
  readonly revision: number;
  /** Identities and issuers by their ids. */
  readonly identities: ReadonlyMap<string, IdentityRow>;
  readonly issuers: ReadonlyMap<string, TokenIssuer>;
  /** What a subject may do with paths. Null where no policy applies. */
  grantsOf(subject: Subject): Grants | null;
}

export function tenantAccess(
  { tenant, revision, identities, issuers, policies }: StoredAccess,
  compiled: CompiledGrants,
): TenantAccess {
  return {
    tenant,
    revision,
    identities: new Map(identities.map((identity) => [identity.id, identity])),
    issuers: new Map(issuers.map((issuer) => [issuer.id, issuer])),
    grantsOf: compiled.among(policies),
  };
}
