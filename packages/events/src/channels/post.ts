import { KeyferryError } from '@keyferry/core';
import type { EgressClient } from '@keyferry/egress';

/** What a channel is sent by. */
export interface SendContext {
  egress: EgressClient;
  now: () => Date;
  /** The deadline. */
  signal: AbortSignal;
}

/** Answers that say "later". */
const passing = [408, 425, 429];

/** Posts to a channel's URL, which is named nowhere. Rejects with `delivery_*` or `egress_refused`. */
export async function post(
  channel: { name: string; url: string },
  request: { headers: Record<string, string>; body: string },
  { egress, now, signal }: SendContext,
): Promise<void> {
  const headers = { 'content-type': 'application/json', 'user-agent': 'Keyferry', ...request.headers };
  const answer = await egress
    .post(channel.url, { headers, body: request.body, signal })
    .catch((error: unknown) => Promise.reject(connectionFailure(channel.name, error, signal)));
  const { status } = answer;
  if (status >= 200 && status < 300) return;
  const later = status >= 500 || passing.includes(status);
  const retryAfterMs = parseRetryAfter(answer.retryAfter, now().getTime());
  throw new KeyferryError(
    later ? 'delivery_unavailable' : 'delivery_refused',
    `The channel "${channel.name}" was answered with status ${status}.`,
    { details: { status }, ...(retryAfterMs !== undefined && { retryAfterMs }) },
  );
}

/** The error for a connection that didn't come about or broke: its code, and no words that were said on it. */
export function connectionFailure(channel: string, error: unknown, signal: AbortSignal): KeyferryError {
  if (error instanceof KeyferryError) return error;
  if (signal.aborted)
    return new KeyferryError('delivery_timeout', `The receiver of the channel "${channel}" did not answer in time.`);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known = /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? ` (${code})` : '';
  return new KeyferryError(
    'delivery_unavailable',
    `The receiver of the channel "${channel}" can't be reached, or broke the connection${known}.`,
  );
}

/** Milliseconds of a Retry-After header, in seconds or as a date. */
function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(wait) && wait >= 0 ? wait : undefined;
}
