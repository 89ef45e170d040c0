import { type Claims, KeyferryError } from '@keyferry/core';
import type { IdentityRow, TokenIssuer } from '@keyferry/store';
import { type Identity, noGrants } from './identity.ts';
import type { TenantAccess } from './tenant-access.ts';

/** What a signed token says of who has it. */
export interface Signed {
  issuer: TokenIssuer;
  claims: Claims;
  /** Of the claims: who it is to the issuer. */
  subject: string;
}

/** One of a tenant's identities as it asks, and by which signed token, if it is by one. */
export function identityOf(access: TenantAccess, row: IdentityRow, signed: Signed | null = null): Identity {
  const scopes = new Set(row.scopes);
  return {
    tenantId: access.tenant.id,
    id: row.id,
    actor: signed ? `${row.name} (${actorOf(signed)})` : row.name,
    operator: row.operator,
    scopes,
    grants: access.grantsOf({ identityId: row.id, ...claimsOf(signed), scopes }) ?? noGrants,
  };
}

/** Who is known by claims alone: they may do what policies for these claims say. Null where there is none. */
export function identityOfClaims(access: TenantAccess, signed: Signed): Identity | null {
  const scopes = new Set<never>();
  const grants = access.grantsOf({ identityId: null, ...claimsOf(signed), scopes });
  return grants && { tenantId: access.tenant.id, id: null, actor: actorOf(signed), operator: false, scopes, grants };
}

const claimsOf = (signed: Signed | null) => ({ issuerId: signed?.issuer.id ?? null, claims: signed?.claims ?? {} });

/** No name of an identity has a colon: nobody is taken for one of them. */
const actorOf = ({ issuer, subject }: Signed) => `${issuer.name}:${printable(subject)}`;

const longestSubject = 200;

/** What an issuer says may be any text. */
const printable = (text: string) =>
  text
    .toWellFormed()
    .slice(0, longestSubject)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u00b7');

/** The refusal of somebody whose tenant rests, and who it is: their audit log tells it. */
export class RefusedAtRest extends KeyferryError {
  readonly identity: Identity;

  constructor({ tenant }: TenantAccess, identity: Identity) {
    super('tenant_suspended', `The tenant "${tenant.name}" is suspended.`);
    this.identity = identity;
  }
}

/** Who asks, where their tenant is there for its own; else null. Throws `tenant_suspended`. */
export function ifServed(access: TenantAccess, identity: Identity): Identity | null {
  if (access.tenant.state === 'suspended') throw new RefusedAtRest(access, identity);
  return access.tenant.state === 'active' ? identity : null;
}
