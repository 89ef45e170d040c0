import { type FailureClass, isObject, type KeyferryError, parseJson, vaultFailure } from '@keyferry/core';
import { AnswerTooLarge } from '../common/bounded-body.ts';
import { parseRetryAfter } from '../common/retry-after.ts';
import { egressFailure, judgeTransport } from '../common/transport-failure.ts';
import type { HttpAnswer } from './transport.ts';

/** What the vault says of a failure; both are words of a fixed vocabulary, and neither is shown. */
interface VaultWords {
  code: string;
  innerCode: string;
  message: string;
}

/** Empty where the answer is no failure in the vault's own form, as one of a proxy. */
export function wordsOf({ text }: HttpAnswer): VaultWords {
  const body = parseJson(text);
  const error = isObject(body) && isObject(body.error) ? body.error : {};
  const inner = isObject(error.innererror) ? error.innererror : {};
  return { code: textOf(error.code), innerCode: textOf(inner.code), message: textOf(error.message) };
}

/** The failure that an answer of the vault means. `what` says what was attempted, after "Could not". */
export function failureOf(answer: HttpAnswer, what: string, now: number): KeyferryError {
  const [failureClass, why] = judge(answer);
  const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], now);
  return vaultFailure(failureClass, `Could not ${what}: ${why}.`, {
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function judge(answer: HttpAnswer): [FailureClass, string] {
  const { status } = answer;
  const { code, innerCode, message } = wordsOf(answer);
  if (status === 401) return ['unauthenticated', 'the vault does not accept the token (401)'];
  if (status === 403) return judgeForbidden(innerCode, message);
  if (status === 404 && code === 'SecretNotFound') return ['not_found', 'the vault has no such secret'];
  if (status === 408) return ['timeout', 'the vault gave up waiting (408)'];
  if (status === 409)
    return ['conflict', 'the secret is being deleted or recovered, or somebody else changes it (409)'];
  if (status === 413) return ['too_large', 'the vault finds the request too large (413)'];
  if (status === 429) return ['throttled', 'the vault limits requests (429)'];
  if (status >= 500) return ['unavailable', `the vault cannot serve it now (${status})`];
  if (status >= 300 && status < 400)
    return ['unavailable', `the vault sends to another address (${status}), which a token must not follow`];
  return ['invalid', `the vault gave an answer that does not fit (${status})`];
}

/** A disabled secret answers like one that is forbidden: only its own word for it tells them apart. */
function judgeForbidden(innerCode: string, message: string): [FailureClass, string] {
  if (innerCode === 'SecretDisabled' || (innerCode === '' && /on a disabled secret/.test(message)))
    return ['disabled', 'it is disabled in the vault (403)'];
  if (innerCode === 'ForbiddenByFirewall' || innerCode === 'ForbiddenByConnection')
    return ['forbidden', 'the vault’s firewall does not let this machine’s address in (403)'];
  return ['forbidden', 'permission denied by the vault (403)'];
}

/** Whether an answer is about a secret at all, as far as that is looked at without the SDK. */
export function showsSecret({ text }: HttpAnswer): boolean {
  const body = parseJson(text);
  return isObject(body) && textOf(body.id).includes('/secrets/');
}

export function malformed(what: string): KeyferryError {
  return vaultFailure('invalid', `Could not ${what}: the answer is cut off or not what a vault answers.`);
}

/** The failure that an error of sockets, TLS or HTTP parsing means. Nothing of the error itself is kept. */
export function transportFailure(error: unknown, what: string): KeyferryError {
  const refusal = egressFailure(error, what);
  if (refusal) return refusal;
  if (error instanceof AnswerTooLarge)
    return vaultFailure('too_large', `Could not ${what}: the answer is ${error.message}.`);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const [failureClass, why] = judgeTransport(code) ?? ['unavailable', 'the connection broke'];
  return vaultFailure(failureClass, `Could not ${what}: ${why}.`);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
