import type { Reply } from '../http/send.ts';
import { json, oauthError } from './answer.ts';
import { isSignedBy, readJwt } from './jwt.ts';
import type { GcpState } from './state.ts';
import type { ServiceAccount } from './tokens.ts';

const bearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const scope = 'https://www.googleapis.com/auth/cloud-platform';

/** Addresses that Google's own token endpoint goes by. */
const ownNames = ['https://oauth2.googleapis.com/token', 'https://www.googleapis.com/oauth2/v4/token'];

/** A clock may be wrong by so many seconds. */
const tolerance = 300;

/** The token endpoint: an access token for an assertion that a service account has signed, or for a person’s login. */
export function grantToken(state: GcpState, form: URLSearchParams, endpoint: string): Reply {
  if (form.get('grant_type') === 'refresh_token') return refreshToken(state, form);
  if (form.get('grant_type') !== bearerGrant)
    return oauthError(400, 'unsupported_grant_type', `Invalid grant_type: ${form.get('grant_type') ?? ''}`);
  const jwt = readJwt(form.get('assertion') ?? '');
  if (jwt === null) return oauthError(400, 'invalid_grant', 'Invalid JWT: Failed decode JWT.');
  const { iss, aud, iat, exp, scope: scopes } = jwt.claims;
  const account = state.accounts.get(String(iss));
  if (account === undefined) return oauthError(400, 'invalid_grant', 'Invalid grant: account not found');
  if (!isOfAccount(account, jwt)) return oauthError(400, 'invalid_grant', 'Invalid JWT Signature.');
  if (account.disabled) return oauthError(400, 'invalid_grant', 'Invalid grant: account disabled');
  const seconds = Math.floor(state.clock.now() / 1_000);
  if (!isInTime(seconds, Number(iat), Number(exp)))
    return oauthError(
      400,
      'invalid_grant',
      'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.',
    );
  if (aud !== endpoint && !ownNames.includes(String(aud)))
    return oauthError(400, 'invalid_grant', 'Invalid JWT: Failed audience check.');
  if (typeof scopes !== 'string' || scopes === '')
    return oauthError(400, 'invalid_scope', 'Invalid OAuth scope or ID token audience provided.');
  if (!scopes.split(' ').includes(scope)) return oauthError(400, 'invalid_scope', `${scopes} is no scope of this API`);
  const { token, seconds: lifetime } = state.tokens.issue(account.email);
  return json(200, { access_token: token, expires_in: lifetime - 1, token_type: 'Bearer' });
}

/** A person’s login, kept by gcloud, gives a token again and again. */
function refreshToken(state: GcpState, form: URLSearchParams): Reply {
  const person = state.people.get(form.get('refresh_token') ?? '');
  if (person === undefined) return oauthError(400, 'invalid_grant', 'Bad Request');
  if (form.get('client_id') !== person.clientId || form.get('client_secret') !== person.clientSecret)
    return oauthError(401, 'invalid_client', 'The OAuth client was not found.');
  const { token, seconds } = state.tokens.issue(person.email);
  return json(200, { access_token: token, expires_in: seconds - 1, scope, token_type: 'Bearer' });
}

function isOfAccount({ keyId, key }: ServiceAccount, jwt: NonNullable<ReturnType<typeof readJwt>>): boolean {
  const { kid } = jwt.header;
  return (kid === undefined || kid === keyId) && isSignedBy(jwt, key.publicKey);
}

function isInTime(now: number, iat: number, exp: number): boolean {
  return iat <= now + tolerance && exp > now && exp > iat && exp - iat <= 3_600;
}
