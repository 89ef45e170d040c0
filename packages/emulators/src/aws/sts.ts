import type { AccessKey, Identities, Principal, Role } from './identities.ts';
import type { IdentityProvider } from './identity-provider.ts';
import { Refusal } from './refusal.ts';

export interface StsCall {
  parameters: URLSearchParams;
  identities: Identities;
  provider: IdentityProvider;
  /** Milliseconds since the epoch. */
  now: number;
}

/** What an answer holds, in the order in which it goes out. */
export type XmlMembers = { [name: string]: string | XmlMembers };

const longestChainedSession = 3600;

export function getCallerIdentity(caller: Principal): XmlMembers {
  return { UserId: caller.userId, Account: caller.account, Arn: caller.arn };
}

/** Keys of a role, for whom it trusts and whose own policies allow it. */
export function assumeRole(call: StsCall, caller: Principal): XmlMembers {
  const { arn, sessionName, seconds } = takeCommon(call);
  const externalId = take(call, 'ExternalId', /^[\w+=,.@:/-]{2,1224}$/);
  const role = call.identities.roles.get(arn);
  if (role === undefined || !mayAssume(call, caller, role, externalId))
    throw denied(`User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${arn}`);
  if (caller.session && (seconds ?? 0) > longestChainedSession)
    throw invalid('The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining');
  return grant(call, role, sessionName, seconds);
}

/** Keys of a role, for whoever has a token of an identity provider that it trusts. The request is not signed. */
export function assumeRoleWithWebIdentity(call: StsCall): XmlMembers {
  const { arn, sessionName, seconds } = takeCommon(call);
  const token = take(call, 'WebIdentityToken', /^.{4,20000}$/s) ?? missing('webIdentityToken');
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token))
    throw new Refusal(
      'InvalidIdentityToken',
      'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
    );
  const claims = call.provider.verify(token);
  const role = call.identities.roles.get(arn);
  const trusted = role?.trust.webIdentity;
  const fits =
    trusted?.issuer === claims.issuer &&
    (trusted.audience ?? claims.audience) === claims.audience &&
    (trusted.subject ?? claims.subject) === claims.subject;
  if (role === undefined || !fits) throw denied('Not authorized to perform sts:AssumeRoleWithWebIdentity');
  return {
    ...grant(call, role, sessionName, seconds),
    SubjectFromWebIdentityToken: claims.subject,
    Audience: claims.audience,
    Provider: claims.issuer,
  };
}

/** In the role's own account, a trust that names the caller is enough; elsewhere the caller's policies must allow too. */
function mayAssume({ identities }: StsCall, caller: Principal, role: Role, externalId: string | undefined): boolean {
  const { principals = [], externalId: wanted } = role.trust;
  if (wanted !== undefined && wanted !== externalId) return false;
  const decision = identities.decide(caller, 'sts:AssumeRole', role.arn);
  if (decision === 'denied') return false;
  if (caller.account === role.account && principals.includes(caller.owner)) return true;
  const accountTrusted = ['*', caller.owner, caller.account, `arn:aws:iam::${caller.account}:root`];
  return decision === 'allowed' && principals.some((principal) => accountTrusted.includes(principal));
}

function takeCommon(call: StsCall) {
  const arn = take(call, 'RoleArn', /^.{20,2048}$/s) ?? missing('roleArn');
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/.+/.test(arn)) throw invalid(`${arn} is invalid`);
  const sessionName = take(call, 'RoleSessionName', /^[\w+=,.@-]{2,64}$/) ?? missing('roleSessionName');
  const duration = take(call, 'DurationSeconds', /^\d{1,6}$/);
  if (duration !== undefined && Number(duration) < 900)
    throw invalid(
      "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
    );
  return { arn, sessionName, seconds: duration === undefined ? undefined : Number(duration) };
}

function grant(call: StsCall, role: Role, sessionName: string, seconds = 3600): XmlMembers {
  if (seconds > role.maxSessionSeconds)
    throw invalid('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
  const key = call.identities.createSession(role, sessionName, call.now + seconds * 1000);
  const { arn, userId } = key.principal;
  return { Credentials: credentialsOf(key), AssumedRoleUser: { AssumedRoleId: userId, Arn: arn } };
}

function credentialsOf({ accessKeyId, secretAccessKey, sessionToken, expiresAt }: AccessKey): XmlMembers {
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken ?? '',
    Expiration: isoSeconds(expiresAt ?? 0),
  };
}

export const isoSeconds = (milliseconds: number) => new Date(milliseconds).toISOString().replace(/\.\d+/, '');

function take({ parameters }: StsCall, name: string, pattern: RegExp): string | undefined {
  const value = parameters.get(name);
  if (value === null) return undefined;
  if (!pattern.test(value))
    throw invalid(
      `1 validation error detected: Value at '${name.charAt(0).toLowerCase()}${name.slice(1)}' failed to satisfy constraint: Member must satisfy regular expression pattern: ${pattern.source}`,
    );
  return value;
}

function missing(name: string): never {
  throw invalid(
    `1 validation error detected: Value null at '${name}' failed to satisfy constraint: Member must not be null`,
  );
}

const denied = (message: string) => new Refusal('AccessDenied', message, 403);
const invalid = (message: string) => new Refusal('ValidationError', message);
