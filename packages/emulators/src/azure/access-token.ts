import { randomUUID } from 'node:crypto';
import type { Identity } from './identities.ts';
import { isSignedBy, parseJwt, signJwt } from './jwt.ts';
import type { AzureState } from './state.ts';

/** The id of the one key that signs. */
export const keyId = 'emulated-signing-key';

const issuerOf = ({ tenantId }: AzureState) => `https://sts.windows.net/${tenantId}/`;

export function issueAccessToken(state: AzureState, identity: Identity, audience: string): string {
  const issuedAt = Math.floor(state.now() / 1000);
  const claims = {
    aud: audience,
    iss: issuerOf(state),
    iat: issuedAt,
    nbf: issuedAt,
    exp: issuedAt + state.tokenSeconds,
    appid: identity.clientId,
    oid: identity.objectId,
    sub: identity.objectId,
    tid: state.tenantId,
    uti: randomUUID(),
    ver: '1.0',
    session: state.session,
  };
  return signJwt({ kid: keyId, x5t: keyId }, claims, state.signingKey);
}

/** Verified tokens, so that a signature is checked once: they are many requests' alike. */
const verified = new WeakMap<AzureState, Map<string, Record<string, unknown>>>();

/** Whose token it is, or in the vault's words why it is not taken. */
export function checkAccessToken(state: AzureState, token: string, audience: string): Identity | string {
  const claims = verifiedClaims(state, token);
  if (claims === null) return 'AKV10001: Signature validation failed.';
  if (claims.aud !== audience) return 'AKV10022: Invalid audience.';
  if (claims.iss !== issuerOf(state) || claims.tid !== state.tenantId) return 'AKV10032: Invalid issuer.';
  const seconds = state.now() / 1000;
  if (Number(claims.nbf) > seconds + 1 || Number(claims.exp) <= seconds || claims.session !== state.session)
    return '[TokenExpired] Error validating token: the lifetime validation failed, the token is expired.';
  return state.identities.get(String(claims.appid)) ?? 'AKV10046: Unable to resolve the caller of the token.';
}

function verifiedClaims(state: AzureState, token: string): Record<string, unknown> | null {
  const known = verified.get(state) ?? new Map<string, Record<string, unknown>>();
  verified.set(state, known);
  const before = known.get(token);
  if (before !== undefined) return before;
  const jwt = parseJwt(token);
  if (jwt === null || jwt.header.kid !== keyId || !isSignedBy(jwt, state.verifyingKey)) return null;
  if (known.size > 100) known.clear();
  known.set(token, jwt.claims);
  return jwt.claims;
}
