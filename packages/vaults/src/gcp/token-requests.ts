import { isObject, type KeyferryError, vaultFailure } from '@keyferry/core';
import { ending } from '../common/ending.ts';
import type { Lease } from '../common/token-keeper.ts';
import { untilAborted } from '../common/until-aborted.ts';
import type { ConnectContext } from '../contract.ts';
import { jsonOf, loginFailureOf, malformed, transportFailure } from './errors.ts';
import type { HttpAnswer, HttpRequest, Transport } from './transport.ts';

interface TokenRequest extends Pick<HttpRequest, 'url'> {
  /** What is attempted, goes after "Could not" in a message. */
  what: string;
  headers?: Record<string, string>;
  /** A form, or JSON; a request with neither is a GET. Made anew for each attempt, since assertions age. */
  form?: () => Record<string, string>;
  json?: object;
}

/** Requests of a login, each of which is one call. Not one of them is made within another call. */
export interface TokenRequests {
  /** Any answer of success. Rejects with the failure of any other: refused credentials are `unauthenticated`. */
  send(request: TokenRequest, signal: AbortSignal): Promise<HttpAnswer>;
  /** What another SDK finds out on its own, as one call; whatever it fails with is `unauthenticated`. */
  own<Found>(what: string, signal: AbortSignal, find: () => Promise<Found>): Promise<Found>;
  now(): number;
}

export function createTokenRequests(transport: Transport, context: ConnectContext): TokenRequests {
  const attempt = async ({ url, what, headers, form, json }: TokenRequest, signal: AbortSignal) => {
    const body = form ? new URLSearchParams(form()).toString() : json && JSON.stringify(json);
    const type = form ? 'application/x-www-form-urlencoded' : 'application/json';
    const typed: Record<string, string> = body === undefined ? {} : { 'content-type': type };
    const method = body === undefined ? 'GET' : 'POST';
    const answer = await transport
      .send({ method, url, headers: { ...typed, ...headers }, body, signal })
      .catch((error) => {
        throw signal.aborted ? ending(signal.reason, what) : transportFailure(error, what);
      });
    if (answer.status !== 200) throw loginFailureOf(answer, what, context.now());
    return answer;
  };
  return {
    send: (request, signal) => context.call('login', signal, (own) => attempt(request, own)),
    own: (what, signal, find) =>
      context.call('login', signal, (own) =>
        untilAborted(find(), own).catch(() => {
          throw own.aborted ? ending(own.reason, what) : refusedLogin(what, 'none was found');
        }),
      ),
    now: () => context.now(),
  };
}

/** What can be sent in a header as a token. */
const sendable = /^[\x21-\x7e]+$/;

/** The token of an answer as OAuth gives it, and when it ends by our clock. */
export function grantedBy(answer: HttpAnswer, what: string, now: number): Lease<string> {
  const { access_token: token, expires_in: seconds } = jsonOf(answer.body);
  if (typeof token !== 'string' || !sendable.test(token) || typeof seconds !== 'number') throw malformed(what);
  return { token, endsAt: now + seconds * 1_000 };
}

/** The token of an answer of the IAM credentials API, which tells the time of its end. */
export function impersonatedBy(answer: HttpAnswer, what: string): Lease<string> {
  const { accessToken: token, expireTime } = jsonOf(answer.body);
  const endsAt = Date.parse(String(expireTime));
  if (typeof token !== 'string' || !sendable.test(token) || Number.isNaN(endsAt)) throw malformed(what);
  return { token, endsAt };
}

/** A text in an answer: the whole of it, or what a JSON object has under a name. Null where there is none. */
export function textIn(text: string, field: string | null): string | null {
  if (field === null) return text.trim() || null;
  const members = jsonOf(Buffer.from(text));
  const value = isObject(members) && Object.hasOwn(members, field) ? members[field] : undefined;
  return typeof value === 'string' && value !== '' ? value : null;
}

export function refusedLogin(what: string, why: string): KeyferryError {
  return vaultFailure('unauthenticated', `Could not ${what}: ${why}.`);
}
