import { type ErrorCode, type FailureClass, KeyferryError, vaultFailure } from '@keyferry/core';
import { AnswerTooLarge } from '../common/bounded-body.ts';
import { parseRetryAfter } from '../common/retry-after.ts';
import { egressFailure, judgeTransport } from '../common/transport-failure.ts';

/** What an error of the SDK, or an entry of a batch's errors, says. None of it is ever shown but the status. */
interface Told {
  /** Amazon's name of the error; empty where there is none. */
  code: string;
  message: string;
  /** Of the HTTP answer; undefined in an entry of a batch, and where there was no answer. */
  status: number | undefined;
}

type Judgement = [FailureClass, string, ErrorCode?];

/** The failure that anything thrown by the SDK means. `what` says what was attempted, after "Could not". */
export function failureOf(error: unknown, what: string, now: number): KeyferryError {
  const refusal = egressFailure(error, what);
  if (refusal) return refusal;
  if (error instanceof KeyferryError) return error;
  const [failureClass, why, code] = judgeError(error);
  const retryAfterMs = parseRetryAfter(headerOf(error, 'retry-after'), now);
  return vaultFailure(failureClass, `Could not ${what}: ${why}.`, {
    ...(code && { code }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** The failure of one secret of a batch. */
export function failureOfEntry(code: string, message: string, what: string): KeyferryError {
  const [failureClass, why] = judgeCode({ code, message, status: undefined }) ?? [
    'invalid',
    'the vault gives a reason for it that is not known',
  ];
  return vaultFailure(failureClass, `Could not ${what}: ${why}.`);
}

export function malformed(what: string): KeyferryError {
  return vaultFailure('invalid', `Could not ${what}: the answer is cut off or not what AWS answers.`);
}

/** Whether a signature was refused for its time alone: the SDK has learnt the service's time from the answer. */
export function isClockSkew(error: unknown): boolean {
  const { code, message } = toldBy(error);
  return /^(RequestExpired|RequestInTheFuture|RequestTimeTooSkewed)$/.test(code) || saysWrongTime(message);
}

const saysWrongTime = (message: string) => /^Signature (expired|not yet current)/.test(message);

function judgeError(error: unknown): Judgement {
  if (error instanceof AnswerTooLarge) return ['too_large', `the answer is ${error.message}`];
  const transport = error instanceof Error && 'code' in error ? judgeCodeOfTransport(String(error.code)) : null;
  if (transport) return transport;
  const told = toldBy(error);
  // What the SDK calls a time-out of its own has no answer and no code.
  if (told.code === 'TimeoutError') return ['timeout', 'no connection to AWS in time'];
  return judgeCode(told) ?? judgeStatus(told.status);
}

function judgeCodeOfTransport(code: string): Judgement | null {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return [
      'unavailable',
      'the host name of the address cannot be resolved; check region, or the endpoint that is set in its place',
    ];
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return ['unavailable', 'the certificate of what answers is for another name; correct the endpoint'];
  return judgeTransport(code);
}

/** The refusals that Amazon names. Null for any other name. */
function judgeCode({ code, message, status }: Told): Judgement | null {
  const told = status === undefined ? '' : ` (${status})`;
  switch (code) {
    case 'ResourceNotFoundException':
      // Only the service's own word counts: anything between may answer 404.
      if (status !== undefined && status !== 400) return null;
      return /secret value for staging label/i.test(message)
        ? ['deleted', 'it has no current value in the vault']
        : ['not_found', 'the vault does not have it'];
    case 'InvalidRequestException':
      return /marked for deletion|scheduled for deletion|marked deleted/i.test(message)
        ? ['deleted', 'it is scheduled for deletion in the vault']
        : ['invalid', `the vault does not allow this for a secret like it, as where another service manages it${told}`];
    case 'AccessDeniedException':
    case 'AccessDenied':
      return ['forbidden', `permission denied by AWS${told}`];
    case 'DecryptionFailure':
      return ['forbidden', `its KMS key can’t be used to decrypt it${told}`];
    case 'EncryptionFailure':
      return ['forbidden', `the KMS key can’t be used to encrypt it; check kms_key_id${told}`];
    case 'ResourceExistsException':
      return ['conflict', 'the vault has it already'];
    case 'LimitExceededException':
      return ['invalid', `it would exceed a quota of the account or of the secret’s versions${told}`];
    case 'IDPCommunicationError':
      return ['unavailable', `AWS can’t reach the identity provider now${told}`];
  }
  if (/^(Internal(Service|Server)?(Error|Failure)|ServiceUnavailable)/.test(code))
    return ['unavailable', `AWS cannot serve it now${told}`];
  if (/^(Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottled|SlowDown|PriorRequestNotComplete)/.test(code))
    return ['throttled', `AWS limits requests${told}`];
  return judgeSignature(code, message, told);
}

function judgeSignature(code: string, message: string, told: string): Judgement | null {
  if (/^(RequestExpired|RequestInTheFuture|RequestTimeTooSkewed)$/.test(code) || saysWrongTime(message))
    return ['unauthenticated', `AWS finds the signature too old or too new; set the clock of this machine${told}`];
  if (/scoped to a valid region/.test(message))
    return ['unauthenticated', `the endpoint is of another region than the one that is set${told}`];
  if (/^ExpiredToken/.test(code)) return ['unauthenticated', `the credentials have expired${told}`];
  if (/^(InvalidSignature|SignatureDoesNotMatch)/.test(code))
    return ['unauthenticated', `the secret access key is not that of the access key${told}`];
  if (/^(UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|AuthFailure)/.test(code))
    return ['unauthenticated', `AWS does not know the access key or its session token${told}`];
  if (/^(InvalidIdentityToken|IDPRejectedClaim)/.test(code))
    return ['unauthenticated', `AWS does not accept the web identity token${told}`];
  if (/^(IncompleteSignature|MissingAuthenticationToken|OptInRequired|RegionDisabled|NotAuthorized)/.test(code))
    return ['unauthenticated', `AWS does not accept the credentials here${told}`];
  return null;
}

function judgeStatus(status: number | undefined): Judgement {
  if (status === undefined) return ['invalid', 'the answer is cut off or not what AWS answers'];
  if (status === 401) return ['unauthenticated', 'the credentials are not accepted (401)'];
  if (status === 403) return ['forbidden', 'permission denied (403)'];
  if (status === 408) return ['timeout', 'AWS gave up waiting (408)'];
  if (status === 413) return ['too_large', 'the request is found too large (413)'];
  if (status === 429) return ['throttled', 'AWS limits requests (429)'];
  if (status >= 500) return ['unavailable', `AWS cannot serve it now (${status})`];
  if (status >= 300 && status < 400)
    return ['unavailable', `it is sent to another address (${status}), where credentials must not go`];
  if (status >= 400) return ['invalid', `AWS does not take the request as it is (${status})`];
  return ['invalid', 'the answer is cut off or not what AWS answers'];
}

function toldBy(error: unknown): Told {
  if (!(error instanceof Error)) return { code: '', message: '', status: undefined };
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  // Some of Amazon's own errors are told in a header alone, where the body is not of the protocol.
  const header = headerOf(error, 'x-amzn-errortype')?.replace(/[:#].*$/, '');
  const code = /^(Error|SyntaxError|TypeError|Unknown)$/.test(error.name) ? (header ?? '') : error.name;
  return { code, message: error.message, status: $metadata?.httpStatusCode };
}

function headerOf(error: unknown, name: string): string | undefined {
  const { $response } = error as { $response?: { headers?: Record<string, string> } };
  return $response?.headers?.[name];
}
