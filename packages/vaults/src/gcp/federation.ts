import { awsSubjectToken } from './aws-subject.ts';
import { type ExternalAccount, isMachineIdentity } from './external-account.ts';
import type { Login, LoginRequests } from './login.ts';
import { scope } from './service-account-login.ts';
import { grantedBy, impersonatedBy, refusedLogin, type TokenRequests, textIn } from './token-requests.ts';

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

/** Types of tokens that have three parts of base64url: what is no such token is never sent, whatever a file holds. */
const webTokenTypes = ['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token'];
const webToken = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/**
 * Exchanges the token of another issuer for one of Google's (RFC 8693), and that one for a service account's where the
 * configuration says so. `readFile` is the only way to files.
 */
export function federatedLogin(
  account: ExternalAccount,
  { settings: requests, machine }: LoginRequests,
  readFile: (path: string) => Promise<string>,
): Login {
  const what = 'exchange the token of the identity provider';
  return async (signal) => {
    const subjectToken = await subjectTokenOf(account, { settings: requests, machine }, readFile, signal);
    const form = () => ({
      grant_type: exchangeGrant,
      requested_token_type: accessTokenType,
      audience: account.audience,
      scope,
      subject_token: subjectToken,
      subject_token_type: account.subject_token_type,
    });
    const answer = await requests.send({ url: account.token_url, what, form }, signal);
    const exchanged = grantedBy(answer, what, requests.now());
    const url = account.service_account_impersonation_url;
    return url === undefined ? exchanged : impersonate(account, url, exchanged.token, requests, signal);
  };
}

async function impersonate(
  { lifetimeSeconds }: ExternalAccount,
  url: string,
  token: string,
  requests: TokenRequests,
  signal: AbortSignal,
) {
  const what = 'act as the service account that service_account_impersonation_url names';
  const headers = { authorization: `Bearer ${token}` };
  const json = { scope: [scope], lifetime: `${lifetimeSeconds}s` };
  return impersonatedBy(await requests.send({ url, what, headers, json }, signal), what);
}

async function subjectTokenOf(
  { source, subject_token_type: type, audience }: ExternalAccount,
  { settings, machine }: LoginRequests,
  readFile: (path: string) => Promise<string>,
  signal: AbortSignal,
): Promise<string> {
  if (source.kind === 'aws') return awsSubjectToken(audience, machine, signal);
  const place = source.kind === 'file' ? `the file ${source.file}` : 'the credential_source.url';
  const what = `get the token of the identity provider from ${place}`;
  const text = await (source.kind === 'file'
    ? readFile(source.file)
    : askFor(source, what, isMachineIdentity(source.url) ? machine : settings, signal));
  const token = textIn(text, source.field);
  if (token === null || (webTokenTypes.includes(type) && !webToken.test(token)))
    throw refusedLogin(what, 'there is no token in it');
  return token;
}

async function askFor(
  { url, headers }: Extract<ExternalAccount['source'], { kind: 'url' }>,
  what: string,
  requests: TokenRequests,
  signal: AbortSignal,
): Promise<string> {
  return (await requests.send({ url, what, headers }, signal)).body.toString();
}
