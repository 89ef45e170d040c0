import { failure } from './answer.ts';
import type { AuthMount } from './auth-roles.ts';
import { isObject } from './json.ts';
import { isSignedBy, type Jwt, readJwt, textsOf } from './jwt.ts';
import type { LoginOutcome } from './login.ts';
import type { VaultRequest } from './request.ts';

type GcpMount = Extract<AuthMount, { type: 'gcp' }>;

const tolerance = 60;
const longestExpSeconds = 3600;
const defaultExpSeconds = 900;

/** A login by a token that a service account has signed, or Google for one of its machines. */
export function gcpLogin(mount: GcpMount, { body }: VaultRequest, now: number): LoginOutcome {
  if (typeof body.role !== 'string' || body.role === '') return failure(400, 'role is required');
  const role = mount.roles.get(body.role);
  if (role === undefined) return failure(400, `role "${body.role}" not found`);
  if (typeof body.jwt !== 'string') return failure(400, 'jwt argument is required');
  const token = readJwt(body.jwt);
  if (token === null) return failure(400, 'unable to parse signed JWT: malformed token');
  const subject = String(token.claims.sub ?? '');
  const email = String(token.claims.email ?? subject);
  const key = keyOf(mount, token, subject, role.type);
  if (key === undefined) return failure(400, `unable to get public key for signed JWT: no key "${token.header.kid}"`);
  if (!isSignedBy(token, key)) return failure(400, 'error in cryptographic primitive');

  const seconds = Number(token.claims.exp ?? 0) - now / 1000;
  if (seconds < -tolerance) return failure(400, "JWT is expired or does not have proper 'exp' claim");
  if (seconds > longestExpSeconds + tolerance)
    return failure(400, `JWT must expire in ${longestExpSeconds / 60} minutes, expires in ${seconds}s`);
  if (subject === '') return failure(400, "expected JWT to have 'sub' claim with service account id or email");
  if (!textsOf(token.claims.aud).every((audience) => audience.endsWith(`vault/${body.role}`)))
    return failure(400, `at least one of the JWT claim 'aud' must end in "vault/${body.role}"`);
  const machine = isMachines(token);
  if (role.type === 'gce' && !machine) return failure(400, 'expected JWT to have claims with GCE metadata');
  if (role.type === 'iam' && !machine && seconds > (role.maxJwtExpSeconds ?? defaultExpSeconds))
    return failure(
      400,
      `role requires that service account JWTs expire within ${role.maxJwtExpSeconds ?? defaultExpSeconds} seconds`,
    );
  if (!role.boundServiceAccounts.some((bound) => bound === '*' || bound === email))
    return failure(400, `service account ${email} (id: ${subject}) is not authorized for role`);
  return { role, metadata: { role: body.role, service_account_email: email } };
}

/** One of Google's own keys, or of the account that the token names: for a machine's, Google's alone. */
function keyOf({ keys }: GcpMount, { header }: Jwt, subject: string, type: 'iam' | 'gce'): string | undefined {
  const id = String(header.kid);
  return keys.get('')?.get(id) ?? (type === 'iam' && subject !== '' ? keys.get(subject)?.get(id) : undefined);
}

function isMachines({ claims }: Jwt): boolean {
  const compute = isObject(claims.google) ? claims.google.compute_engine : undefined;
  return isObject(compute) && typeof compute.instance_id === 'string';
}
