import type { Reply } from '../http/send.ts';
import { errorInfo, invalid, json, oauthError, Refusal } from './answer.ts';
import { awsIdentityOf } from './aws-identity.ts';
import { membersOf, parseBody } from './body.ts';
import { parseDuration } from './clock.ts';
import { isSignedBy, readJwt } from './jwt.ts';
import type { GcpState } from './state.ts';
import type { Oidc } from './tokens.ts';

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
const cloudScope = 'https://www.googleapis.com/auth/cloud-platform';

/** What a provider takes for a subject's token. */
const tokenTypes = {
  oidc: ['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token'],
  aws: ['urn:ietf:params:aws:token-type:aws4_request'],
};

/** The security token service: an access token of a pool's principal for the token of whom the pool trusts. */
export function exchangeToken(state: GcpState, form: URLSearchParams): Reply {
  const field = (name: string) => form.get(name) ?? '';
  const badRequest = (description: string) => oauthError(400, 'invalid_request', description);
  if (field('grant_type') !== exchangeGrant)
    return oauthError(400, 'unsupported_grant_type', 'The grant type is not supported.');
  if (field('requested_token_type') !== accessTokenType) return badRequest('Invalid requested_token_type.');
  if (field('scope') === '') return badRequest('Missing "scope".');
  const provider = state.providers.get(field('audience'));
  if (provider === undefined) return badRequest('Invalid value for "audience".');
  const { trusts, audience, principalPrefix } = provider;
  if (!tokenTypes[trusts.kind].includes(field('subject_token_type')))
    return badRequest('Invalid value for "subject_token_type".');
  const now = state.clock.now();
  const found =
    trusts.kind === 'oidc'
      ? subjectOf(trusts, field('subject_token'), now)
      : { subject: awsIdentityOf(field('subject_token'), audience, trusts.keys, now) };
  if ('problem' in found) return oauthError(400, 'invalid_grant', found.problem);
  if (found.subject === null)
    return oauthError(400, 'invalid_grant', 'Received invalid AWS response: the signature does not match.');
  const { token, seconds } = state.tokens.issue(principalPrefix + found.subject);
  return json(200, {
    access_token: token,
    issued_token_type: accessTokenType,
    token_type: 'Bearer',
    expires_in: seconds,
  });
}

function subjectOf(
  { issuer, tokenAudience, key }: Oidc,
  token: string,
  now: number,
): { subject: string } | { problem: string } {
  const jwt = readJwt(token);
  if (jwt === null) return { problem: 'Unable to parse the ID Token.' };
  const { iss, aud, sub, exp } = jwt.claims;
  if (iss !== issuer) return { problem: 'The issuer in ID Token does not match the expected one.' };
  if (aud !== tokenAudience) return { problem: 'The audience in ID Token does not match the expected audience.' };
  if (!isSignedBy(jwt, key.publicKey)) return { problem: 'The signature of the ID Token is not of its issuer.' };
  if (!(Number(exp) * 1_000 > now)) return { problem: 'ID Token is stale to sign-in.' };
  return { subject: String(sub) };
}

/** `generateAccessToken` of the IAM credentials API: who may act as a service account gets a token of it. */
export function impersonate(state: GcpState, email: string, authorization: string, body: Buffer): Reply {
  const caller = state.tokens.lookUp(authorization.replace(/^Bearer /, ''));
  if (caller === null || caller === 'expired')
    throw new Refusal('UNAUTHENTICATED', 'Request had invalid authentication credentials.', [
      errorInfo('ACCESS_TOKEN_TYPE_UNSUPPORTED', 'googleapis.com'),
    ]);
  const { scope, lifetime = '3600s' } = membersOf(parseBody(body), '', ['scope', 'lifetime', 'delegates']);
  const account = state.accounts.get(email);
  if (account === undefined || account.disabled || !account.actors.has(caller.identity))
    throw new Refusal(
      'PERMISSION_DENIED',
      "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
      [errorInfo('IAM_PERMISSION_DENIED', 'iam.googleapis.com', { permission: 'iam.serviceAccounts.getAccessToken' })],
    );
  if (!Array.isArray(scope) || !scope.includes(cloudScope)) throw invalid('At least one scope is required.');
  const seconds = (parseDuration(lifetime) ?? 0) / 1e6;
  if (seconds < 1 || seconds > 3_600) throw invalid('The lifetime must be positive and at most 3600s.');
  const { token, expiresAt } = state.tokens.issue(email, seconds);
  return json(200, { accessToken: token, expireTime: new Date(expiresAt).toISOString().replace(/\.\d+Z$/, 'Z') });
}
