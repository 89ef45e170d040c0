import { failure } from './answer.ts';
import type { AuthMount, JwtRole } from './auth-roles.ts';
import { type Claims, isSignedBy, readJwt, textsOf } from './jwt.ts';
import type { LoginOutcome } from './login.ts';
import type { VaultRequest } from './request.ts';

type JwtMount = Extract<AuthMount, { type: 'jwt' }>;

/** Seconds by which the clock of whoever made a token may be ahead or behind. */
const clockSkew = 60;
/** Seconds that a token without an end is good for. */
const defaultLifetime = 150;

/** A login by a token that someone else has signed, such as a CI's. */
export function jwtLogin(mount: JwtMount, { body }: VaultRequest, now: number): LoginOutcome {
  if (mount.config.keys.length === 0) return failure(400, 'could not load configuration');
  if (typeof body.role !== 'string' || body.role === '') return failure(400, 'missing role');
  const name = body.role.toLowerCase();
  const role = mount.roles.get(name);
  if (role === undefined) return failure(400, `role "${name}" could not be found`);
  if (typeof body.jwt !== 'string' || body.jwt === '') return failure(400, 'missing token');
  const token = readJwt(body.jwt);
  if (token === null) return failure(400, 'error parsing token: malformed token');
  if (!mount.config.keys.some((key) => isSignedBy(token, key)))
    return failure(400, 'error validating token: no known key successfully validated the token signature');
  const problem = timeProblem(token.claims, now / 1000) ?? claimProblem(token.claims, mount.config.boundIssuer, role);
  if (problem !== null) return failure(400, `error validating token: ${problem}`);
  const user = token.claims[role.userClaim ?? 'sub'];
  if (typeof user !== 'string') return failure(400, `claim "${role.userClaim ?? 'sub'}" not found in token`);
  return { role, metadata: { role: name } };
}

function timeProblem(claims: Claims, now: number): string | null {
  const [issuedAt, notBefore, expiry] = [claims.iat, claims.nbf, claims.exp].map((time) => Number(time ?? 0));
  if (!issuedAt && !notBefore && !expiry)
    return 'no issued at (iat), not before (nbf), or expiration time (exp) claims';
  const start = Math.max(issuedAt ?? 0, notBefore ?? 0);
  if (now > (expiry || start + defaultLifetime) + clockSkew)
    return 'invalid expiration time (exp) claim: token is expired';
  return start > now + clockSkew ? 'invalid not before (nbf) claim: token not yet valid' : null;
}

function claimProblem(claims: Claims, issuer: string | undefined, role: JwtRole): string | null {
  if (issuer !== undefined && claims.iss !== issuer) return 'invalid issuer (iss) claim';
  if (role.boundSubject !== undefined && claims.sub !== role.boundSubject) return 'invalid subject (sub) claim';
  const audiences = textsOf(claims.aud);
  if (role.boundAudiences === undefined || role.boundAudiences.length === 0) {
    if (audiences.length > 0) return 'audience claim found in JWT but no audiences bound to the role';
  } else if (!role.boundAudiences.some((audience) => audiences.includes(audience))) {
    return 'invalid audience (aud) claim: audience claim does not match any bound audience';
  }
  for (const [name, wanted] of Object.entries(role.boundClaims ?? {})) {
    const found = textsOf(claims[name]);
    if (!textsOf(wanted).some((value) => found.includes(value)))
      return `claim "${name}" does not match any associated bound claim values`;
  }
  return null;
}
