import { type ErrorCode, type FailureClass, type KeyferryError, vaultFailure } from '@keyferry/core';
import { isObject, type JsonObject } from './json.ts';

/** A response as far as it is used. `body` is undefined where there is none, or none that is JSON. */
export interface Answer {
  status: number;
  retryAfter: string | undefined;
  body: unknown;
}

/** An answer was not read to its end, since it is larger than what it answers can be; the message says than what. */
export class AnswerTooLarge extends Error {}

/** The server's own sentences. They decide on a class, and are never shown. */
function reasons(body: unknown): string {
  return isObject(body) && Array.isArray(body.errors) ? body.errors.join('\n') : '';
}

/** 404 `{"errors":[]}`: Vault's word for "there is nothing here". Any other 404 says something else. */
export function saysNothingHere({ status, body }: Answer): boolean {
  if (status !== 404 || !isObject(body)) return false;
  const { errors, ...rest } = body;
  return Array.isArray(errors) && errors.length === 0 && Object.keys(rest).length === 0;
}

/** 404 because no mount serves the path: a wrong mount or a wrong namespace. */
function saysNoMount({ status, body }: Answer): boolean {
  return status === 404 && /no handler for route|route entry not found/.test(reasons(body));
}

/**
 * The failure that an answer means. `what` says what was attempted and on which path, after "Could not".
 * Answers that are a proof of absence must be recognised before: here a 404 is an answer nobody can interpret.
 */
export function failureOf(answer: Answer, what: string, now: number): KeyferryError {
  const [failureClass, why, code] = judge(answer);
  const retryAfterMs = parseRetryAfter(answer.retryAfter, now);
  return vaultFailure(failureClass, `Could not ${what}: ${why}.`, {
    ...(code && { code }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function judge(answer: Answer): [FailureClass, string, ErrorCode?] {
  const { status, body } = answer;
  const said = reasons(body);
  if (saysNoMount(answer)) return ['invalid', 'nothing is mounted there in this namespace (404)', 'container_missing'];
  if (status === 401 || /invalid token|bad token|missing client token/.test(said))
    return ['unauthenticated', `the vault does not accept the token (${status})`];
  if (status === 403) return ['forbidden', 'permission denied by the vault (403)'];
  if (status === 408) return ['timeout', 'the vault gave up waiting (408)'];
  if (status === 413) return ['too_large', 'the vault finds the request too large (413)'];
  if (status === 429) return ['throttled', 'the vault limits requests (429)'];
  if (status === 307 || status === 308)
    return ['unavailable', `the vault sends to another address (${status}), which a token must not follow`];
  if (status >= 500 && (/sealed/i.test(said) || (isObject(body) && body.sealed === true)))
    return ['unavailable', 'the vault is sealed', 'vault_sealed'];
  if (status === 412 || status >= 500) return ['unavailable', `the vault cannot serve it now (${status})`];
  return ['invalid', `the vault gave an answer that does not fit (${status})`];
}

/** Milliseconds of a Retry-After header, in seconds or as a date. */
function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(wait) && wait >= 0 ? wait : undefined;
}

/** The `data` of a 200 answer. Throws the failure it means otherwise, or `vault_invalid` if it has no data. */
export function dataOf(answer: Answer, what: string, now: number): JsonObject {
  if (answer.status !== 200) throw failureOf(answer, what, now);
  const data = isObject(answer.body) ? answer.body.data : undefined;
  if (!isObject(data)) throw malformed(what);
  return data;
}

export function malformed(what: string): KeyferryError {
  return vaultFailure('invalid', `Could not ${what}: the answer is cut off or not what a vault answers.`);
}

/** The failure that an error of sockets, TLS or HTTP parsing means. Nothing of the error itself is kept. */
export function transportFailure(error: unknown, what: string): KeyferryError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (error instanceof AnswerTooLarge)
    return vaultFailure('too_large', `Could not ${what}: the answer is ${error.message}.`);
  const [failureClass, why, errorCode] = judgeTransport(code);
  return vaultFailure(failureClass, `Could not ${what}: ${why}.`, { ...(errorCode && { code: errorCode }) });
}

function judgeTransport(code: string): [FailureClass, string, ErrorCode?] {
  switch (code) {
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return ['timeout', 'no connection to the vault in time'];
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return ['timeout', 'the vault did not answer in time'];
    case 'ECONNREFUSED':
      return ['unavailable', 'the connection was refused; nothing listens at the address'];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return ['unavailable', 'the host name of the address cannot be resolved'];
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return ['unavailable', 'the vault’s certificate is of an unknown authority; set tls.ca_cert to its certificate'];
    case 'CERT_HAS_EXPIRED':
      return ['unavailable', 'the vault’s certificate has expired'];
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return ['unavailable', 'the vault’s certificate is for another name; correct the address or set tls.server_name'];
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return ['unavailable', 'the address says https, but what listens there does not speak TLS'];
  }
  if (/^(ERR_SSL|EPROTO)/.test(code))
    return ['unavailable', 'TLS failed; if the vault asks for a client certificate, check client_cert and client_key'];
  if (/^(UND_ERR_INVALID_ARG$|ERR_INVALID_)/.test(code))
    return ['invalid', 'the token, namespace or tls.server_name has characters that can’t be sent', 'config_invalid'];
  if (code.startsWith('ERR_OSSL_'))
    return ['invalid', 'TLS can’t use tls.ca_cert, auth.client_cert or auth.client_key', 'config_invalid'];
  if (code.startsWith('HPE_')) return ['invalid', 'what answered does not speak HTTP as it should'];
  return ['unavailable', 'the connection broke'];
}
