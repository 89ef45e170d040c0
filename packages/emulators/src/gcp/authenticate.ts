import { errorInfo, Refusal } from './answer.ts';
import { isSignedBy, readJwt } from './jwt.ts';
import type { Method } from './route.ts';
import type { GcpState } from './state.ts';

const scope = 'https://www.googleapis.com/auth/cloud-platform';

/** What a token that an account signs for itself may be meant for. */
const audience = /^https:\/\/secretmanager\.([a-z0-9-]+\.rep\.)?googleapis\.com\/?$/;

/** The longest that such a token may live, in seconds. */
const longestSeconds = 3_600;

/** Whose request it is, by an access token or by a token that a service account signed itself. Throws for others. */
export function authenticate(state: GcpState, authorization: string, method: Method): string {
  const token = /^Bearer ([\x21-\x7e]+)$/.exec(authorization)?.[1];
  if (token === undefined) throw unauthenticated('CREDENTIALS_MISSING', method);
  const found = state.tokens.lookUp(token);
  if (found === 'expired') throw unauthenticated('ACCESS_TOKEN_EXPIRED', method);
  if (found === null) {
    const email = selfSigned(state, token);
    if (email === null) throw unauthenticated('ACCESS_TOKEN_TYPE_UNSUPPORTED', method);
    return email;
  }
  const account = state.accounts.get(found.identity);
  if (account?.disabled === true) throw unauthenticated('ACCOUNT_STATE_INVALID', method);
  return found.identity;
}

function selfSigned(state: GcpState, token: string): string | null {
  const jwt = readJwt(token);
  const { iss, sub, aud, scope: scopes, iat, exp } = jwt?.claims ?? {};
  const account = state.accounts.get(String(iss));
  if (jwt === null || account === undefined || account.disabled || sub !== iss) return null;
  const seconds = Math.floor(state.clock.now() / 1_000);
  const inTime = Number(iat) <= seconds + 300 && Number(exp) > seconds && Number(exp) - Number(iat) <= longestSeconds;
  const meant = String(scopes).split(' ').includes(scope) || audience.test(String(aud));
  return inTime && meant && jwt.header.kid === account.keyId && isSignedBy(jwt, account.key.publicKey)
    ? account.email
    : null;
}

function unauthenticated(reason: string, method: Method): Refusal {
  const missing = reason === 'CREDENTIALS_MISSING';
  return new Refusal(
    'UNAUTHENTICATED',
    `Request ${missing ? 'is missing required authentication credential' : 'had invalid authentication credentials'}. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.`,
    [
      errorInfo(reason, 'googleapis.com', {
        service: 'secretmanager.googleapis.com',
        method: `google.cloud.secretmanager.v1.SecretManagerService.${method}`,
      }),
    ],
  );
}
