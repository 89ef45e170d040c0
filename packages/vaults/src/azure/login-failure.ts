import { type FailureClass, isObject, type KeyferryError, parseJson, vaultFailure } from '@keyferry/core';
import { parseRetryAfter } from '../common/retry-after.ts';
import type { HttpAnswer } from './transport.ts';

/** What the directory's own numbers mean to whoever gave the settings. Its sentences are never shown. */
const meanings: Record<number, string> = {
  7000215: 'the client secret is wrong; give its value, not its id',
  7000222: 'the client secret has expired; make a new one',
  700016: 'the directory has no application with this client_id; check tenant_id too',
  90002: 'there is no directory with this tenant_id',
  700027: 'the certificate is not registered for the application, or has expired',
  700024: 'the assertion is not within its time; check this machine’s clock and the token’s end',
  700211: 'the application trusts no such issuer; add a federated credential for it',
  700212: 'the token is for another audience than the application’s federated credential names',
  700213: 'the application trusts no such subject; add a federated credential for it',
  70021: 'the application has no federated credential that fits the token',
  500011: 'the directory knows no Key Vault; check tenant_id and the cloud',
  7000112: 'the application is disabled in the directory',
  53003: 'a conditional access policy blocks the login',
};

/** The failure that an answer of a directory, or of a metadata service, means. `what` goes after "Could not". */
export function loginFailure(answer: HttpAnswer, what: string, now: number): KeyferryError {
  const body = parseJson(answer.text);
  const [failureClass, why] = judge(answer.status, isObject(body) ? body : {});
  const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], now);
  return vaultFailure(failureClass, `Could not ${what}: ${why}.`, {
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function judge(status: number, body: Record<string, unknown>): [FailureClass, string] {
  if (status === 429) return ['throttled', 'logins are limited (429)'];
  if (status >= 500 || body.error === 'temporarily_unavailable')
    return ['unavailable', `logins do not work now (${status})`];
  if (status === 408) return ['timeout', 'there was no answer in time (408)'];
  const code = Array.isArray(body.error_codes) ? Number(body.error_codes[0]) : Number.NaN;
  if (typeof body.error !== 'string')
    return ['invalid', `the answer is cut off or not what a directory answers (${status})`];
  const meaning = meanings[code] ?? 'the credentials are refused';
  return ['unauthenticated', Number.isInteger(code) ? `${meaning} (AADSTS${code})` : `${meaning} (${status})`];
}
