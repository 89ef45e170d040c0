import { type ErrorCode, type FailureClass, isObject, type KeyferryError, vaultFailure } from '@keyferry/core';
import { AnswerTooLarge } from '../common/bounded-body.ts';
import { parseRetryAfter } from '../common/retry-after.ts';
import { egressFailure, judgeTransport } from '../common/transport-failure.ts';
import type { HttpAnswer } from './transport.ts';

/** An answer that is none of success. What it says decides on a class, and is never shown. */
export class RefusedAnswer extends Error {
  readonly answer: HttpAnswer;

  constructor(answer: HttpAnswer) {
    super(`answered ${answer.status}`);
    this.answer = answer;
  }
}

/** Google's envelope of errors, as far as it is used; all is empty where there is none. */
interface Told {
  status: string;
  reasons: string[];
  message: string;
}

function toldBy({ body }: HttpAnswer): Told {
  const { error } = jsonOf(body);
  const { status, message, details } = isObject(error) ? error : {};
  const reasons = Array.isArray(details) ? details.map((detail) => textOf(isObject(detail) ? detail.reason : '')) : [];
  return { status: textOf(status), reasons, message: textOf(message) };
}

/** The failure that an answer means. `what` says what was attempted and on which path, after "Could not". */
export function failureOf(answer: HttpAnswer, what: string, now: number): KeyferryError {
  const [failureClass, why, code] = judge(answer.status, toldBy(answer));
  const retryAfterMs = parseRetryAfter(answer.header('retry-after'), now);
  return vaultFailure(failureClass, `Could not ${what}: ${why}.`, {
    ...(code && { code }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function judge(status: number, { status: said, reasons, message }: Told): [FailureClass, string, ErrorCode?] {
  // Only in the envelope is a 404 Google's word; any other may be that of a proxy, or of a wrong address.
  if (status === 404 && said === 'NOT_FOUND') return ['not_found', 'there is no such thing in the project (404)'];
  if (status === 400 && said === 'FAILED_PRECONDITION') return judgeState(message);
  if (status === 401) return ['unauthenticated', 'the vault does not accept the token (401)'];
  if (status === 429 || said === 'RESOURCE_EXHAUSTED') return ['throttled', `the vault limits requests (${status})`];
  if (status === 403) return judgeForbidden(reasons);
  if (status === 408 || status === 504) return ['timeout', `the vault gave up waiting (${status})`];
  if (status === 409) return ['conflict', 'it was changed at the same time (409)'];
  if (status === 413) return ['too_large', 'the vault finds the request too large (413)'];
  if (status >= 300 && status < 400)
    return ['unavailable', `the vault sends to another address (${status}), which a token must not follow`];
  if (status >= 500) return ['unavailable', `the vault cannot serve it now (${status})`];
  return ['invalid', `the vault gave an answer that does not fit (${status})`];
}

/** The state of a version is told by words alone. */
function judgeState(message: string): [FailureClass, string] {
  if (message.includes('is in DISABLED state')) return ['disabled', 'its version is disabled in the vault (400)'];
  if (message.includes('is in DESTROYED state')) return ['deleted', 'its version is destroyed in the vault (400)'];
  return ['invalid', 'its state in the vault does not allow that (400)'];
}

function judgeForbidden(reasons: string[]): [FailureClass, string, ErrorCode?] {
  if (reasons.includes('CONSUMER_INVALID'))
    return ['invalid', 'there is no such project, or it was shut down (403)', 'container_missing'];
  // As good as no project: nothing in it can be seen, whatever the permissions are.
  if (reasons.includes('SERVICE_DISABLED'))
    return ['invalid', 'the Secret Manager API is not enabled in the project (403)', 'container_missing'];
  if (reasons.includes('BILLING_DISABLED'))
    return ['invalid', 'billing is not enabled in the project (403)', 'container_missing'];
  return ['forbidden', 'permission denied by the vault (403)'];
}

/**
 * The failure of a request for a token. What is wrong with the credentials no later attempt mends; but only who gives
 * tokens can say so, in JSON or as Google's metadata server, and no proxy in between.
 */
export function loginFailureOf(answer: HttpAnswer, what: string, now: number): KeyferryError {
  const { status, body } = answer;
  const saysSo = 'error' in jsonOf(body) || answer.header('metadata-flavor') === 'Google';
  if (status === 401 || (saysSo && (status === 400 || status === 403 || status === 404)))
    return vaultFailure('unauthenticated', `Could not ${what}: the credentials are refused (${status}).`);
  return failureOf(answer, what, now);
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

/** Whether a body is a JSON object without other members than these: the SDK takes any object for an empty answer. */
export function hasOnly(body: Buffer, members: readonly string[]): boolean {
  const answer: unknown = JSON.parse(body.toString());
  return isObject(answer) && Object.keys(answer).every((member) => members.includes(member));
}

/** The object that a body is as JSON; an empty one if it is none. */
export function jsonOf(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString());
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
