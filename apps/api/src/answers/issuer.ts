import type { IssuerAnswer } from '@keyferry/contracts';
import type { TokenIssuer } from '@keyferry/store';

/** `nameOf` is by an identity's id. */
export function showIssuer(issuer: TokenIssuer, nameOf: ReadonlyMap<string, string>): IssuerAnswer {
  return {
    id: issuer.id,
    name: issuer.name,
    kind: issuer.kind,
    issuer: issuer.issuer,
    audiences: issuer.audiences,
    algorithms: issuer.algorithms,
    jwks_url: issuer.jwks_url,
    jwks: issuer.jwks,
    ca_cert: issuer.ca_cert,
    mappings: issuer.mappings.map(({ claims, identity_id }) => ({
      claims,
      identity_id,
      identity: nameOf.get(identity_id) ?? identity_id,
    })),
    created_by: issuer.created_by,
    created_at: issuer.created_at.toISOString(),
    updated_at: issuer.updated_at.toISOString(),
  };
}
