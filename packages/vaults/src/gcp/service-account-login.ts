import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { Login } from './login.ts';
import type { ServiceAccount } from './service-account.ts';
import { grantedBy, type TokenRequests } from './token-requests.ts';

/** All that Google's cloud has; what may be done with it is for IAM to say. */
export const scope = 'https://www.googleapis.com/auth/cloud-platform';

const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** The longest that Google lets an assertion live. */
const assertionSeconds = 3_600;

/** Exchanges an assertion that the account's key has signed for an access token (RFC 7523). */
export function serviceAccountLogin(account: ServiceAccount, requests: TokenRequests): Login {
  const what = `log in as ${account.client_email}`;
  const key = createPrivateKey(account.private_key);
  const form = () => ({ grant_type: grantType, assertion: assertionOf(account, key, requests.now()) });
  return async (signal) => {
    const answer = await requests.send({ url: account.token_uri, what, form }, signal);
    return grantedBy(answer, what, requests.now());
  };
}

function assertionOf({ client_email, private_key_id, token_uri }: ServiceAccount, key: KeyObject, now: number): string {
  const iat = Math.floor(now / 1_000);
  const header = { alg: 'RS256', typ: 'JWT', ...(private_key_id !== undefined && { kid: private_key_id }) };
  const claims = { iss: client_email, scope, aud: token_uri, iat, exp: iat + assertionSeconds };
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`;
}
