import type { Reply } from '../http/send.ts';

/** The canonical codes that this service answers with, and the HTTP status of each. */
const statuses = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  ABORTED: 409,
  RESOURCE_EXHAUSTED: 429,
} as const;

export type Code = keyof typeof statuses;

/** Why a request is refused; thrown by whoever finds out. */
export class Refusal extends Error {
  readonly code: Code;
  readonly details: readonly object[];

  constructor(code: Code, message: string, details: readonly object[] = []) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** `google.rpc.ErrorInfo`, which says in a machine's words why. */
export function errorInfo(reason: string, domain: string, metadata: Record<string, string> = {}): object {
  return { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain, metadata };
}

export function invalid(message: string): Refusal {
  return new Refusal('INVALID_ARGUMENT', message);
}

export function json(status: number, body: object, headers: Record<string, string> = {}): Reply {
  return {
    status,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json; charset=UTF-8', 'cache-control': 'private', ...headers },
  };
}

/** A refusal in the envelope that all of Google's APIs have. */
export function refused({ code, message, details }: Refusal): Reply {
  const status = statuses[code];
  const error = { code: status, message, status: code, ...(details.length > 0 && { details }) };
  const headers: Record<string, string> =
    status === 401 ? { 'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"' } : {};
  return json(status, { error }, headers);
}

/** How the servers of OAuth refuse. */
export function oauthError(status: number, error: string, description: string): Reply {
  return json(status, { error, error_description: description });
}
