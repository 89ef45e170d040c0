import type { Reply } from '../http/send.ts';
import { errorInfo, invalid, json, oauthError, Refusal } from './answer.ts';
import { membersOf, parseBody } from './body.ts';
import { parseDuration } from './clock.ts';
import { isSignedBy, readJwt } from './jwt.ts';
import type { GcpState } from './state.ts';

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
const tokenTypes = ['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token'];
const cloudScope = 'https://www.googleapis.com/auth/cloud-platform';

/** The security token service: an access token of a pool's principal for the token of an issuer that the pool trusts. */
export function exchangeToken(state: GcpState, form: URLSearchParams): Reply {
  const field = (name: string) => form.get(name) ?? '';
  const badRequest = (description: string) => oauthError(400, 'invalid_request', description);
  if (field('grant_type') !== exchangeGrant)
    return oauthError(400, 'unsupported_grant_type', 'The grant type is not supported.');
  if (field('requested_token_type') !== accessTokenType) return badRequest('Invalid requested_token_type.');
  if (!tokenTypes.includes(field('subject_token_type'))) return badRequest('Invalid value for "subject_token_type".');
  if (field('scope') === '') return badRequest('Missing "scope".');
  const provider = state.providers.get(field('audience'));
  if (provider === undefined) return badRequest('Invalid value for "audience".');
  const jwt = readJwt(field('subject_token'));
  if (jwt === null) return oauthError(400, 'invalid_grant', 'Unable to parse the ID Token.');
  const { iss, aud, sub, exp } = jwt.claims;
  if (iss !== provider.issuer)
    return oauthError(400, 'invalid_grant', 'The issuer in ID Token does not match the expected one.');
  if (aud !== provider.tokenAudience)
    return oauthError(400, 'invalid_grant', 'The audience in ID Token does not match the expected audience.');
  if (!isSignedBy(jwt, provider.key.publicKey))
    return oauthError(400, 'invalid_grant', 'Error connecting to the given credential’s issuer or wrong signature.');
  if (!(Number(exp) * 1_000 > state.clock.now()))
    return oauthError(400, 'invalid_grant', 'ID Token is stale to sign-in.');
  const { token, seconds } = state.tokens.issue(provider.principalPrefix + String(sub));
  return json(200, {
    access_token: token,
    issued_token_type: accessTokenType,
    token_type: 'Bearer',
    expires_in: seconds,
  });
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
