import { type ErrorCode, type FailureClass, type KeyferryError, vaultFailure } from '@keyferry/core';
import { AnswerTooLarge } from '../common/bounded-body.ts';
import { isObject, type JsonObject } from '../common/json.ts';
import { parseRetryAfter } from '../common/retry-after.ts';
import { egressFailure, judgeTransport } from '../common/transport-failure.ts';

/** A response as far as it is used. `body` is undefined where there is none, or none that is JSON. */
export interface Answer {
  status: number;
  retryAfter: string | undefined;
  body: unknown;
}

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

/** 400 because whoever writes must say which version is the current one. */
export function demandsCheckAndSet({ status, body }: Answer): boolean {
  return status === 400 && /check-and-set parameter required/.test(reasons(body));
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
  if (status === 400 && /check-and-set parameter did not match/.test(said))
    return ['conflict', 'another version is the current one (400)'];
  // Each storage has words of its own for an entry above its limit, and the status of an outage.
  if (status >= 500 && /too large|exceeds (max|\d+ byte)/.test(said))
    return ['too_large', `it is larger than the vault stores (${status})`];
  if (status === 413) return ['too_large', 'the vault finds the request too large (413)'];
  if (status === 429) return ['throttled', 'the vault limits requests (429)'];
  if (status === 307 || status === 308)
    return ['unavailable', `the vault sends to another address (${status}), which a token must not follow`];
  if (status >= 500 && (/sealed/i.test(said) || (isObject(body) && body.sealed === true)))
    return ['unavailable', 'the vault is sealed', 'vault_sealed'];
  if (status === 412 || status >= 500) return ['unavailable', `the vault cannot serve it now (${status})`];
  return ['invalid', `the vault gave an answer that does not fit (${status})`];
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

/** A login, or what leads to one, that cannot succeed with these credentials. */
export function refused(what: string, why: string): KeyferryError {
  return vaultFailure('unauthenticated', `Could not ${what}: ${why}.`);
}

/** The failure that an error of sockets, TLS or HTTP parsing means. Nothing of the error itself is kept. */
export function transportFailure(error: unknown, what: string): KeyferryError {
  const refusal = egressFailure(error, what);
  if (refusal) return refusal;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (error instanceof AnswerTooLarge)
    return vaultFailure('too_large', `Could not ${what}: the answer is ${error.message}.`);
  const [failureClass, why, errorCode] = judgeError(code);
  return vaultFailure(failureClass, `Could not ${what}: ${why}.`, { ...(errorCode && { code: errorCode }) });
}

function judgeError(code: string): [FailureClass, string, ErrorCode?] {
  if (/^(UND_ERR_INVALID_ARG$|ERR_INVALID_)/.test(code))
    return ['invalid', 'the token, namespace or tls.server_name has characters that can’t be sent', 'config_invalid'];
  if (code.startsWith('ERR_OSSL_'))
    return ['invalid', 'TLS can’t use tls.ca_cert, auth.client_cert or auth.client_key', 'config_invalid'];
  return judgeTransport(code) ?? ['unavailable', 'the connection broke'];
}
