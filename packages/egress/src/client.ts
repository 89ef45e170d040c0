import { Agent } from 'undici';
import { egressConnector } from './connector.ts';
import type { EgressPolicy } from './policy.ts';
import type { Resolve } from './resolve.ts';

interface EgressRequest {
  headers: Record<string, string>;
  body: string;
  signal: AbortSignal;
}

/** An answer's head. Its body is not read: nobody needs it, and it may be of any size or quote what was sent. */
interface EgressAnswer {
  status: number;
  retryAfter: string | undefined;
}

/** Sends to addresses that tenants name. */
export interface EgressClient {
  readonly policy: EgressPolicy;
  readonly resolve: Resolve | undefined;
  /** Doesn't follow redirects. Rejects with `egress_refused`, the signal's reason, or undici's errors. */
  post(url: string, request: EgressRequest): Promise<EgressAnswer>;
  close(): Promise<void>;
}

export interface EgressClientOptions {
  policy: EgressPolicy;
  /** How names are looked up; the system's way by default. */
  resolve?: Resolve;
}

const connectMs = 10_000;
/** Callers have deadlines of their own, shorter ones. */
const silenceMs = 60_000;

export function createEgressClient({ policy, resolve }: EgressClientOptions): EgressClient {
  const agent = new Agent({
    connect: egressConnector({ policy, resolve, timeoutMs: connectMs }),
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
  });
  return {
    policy,
    resolve,
    async post(url, { headers, body, signal }) {
      const { origin, pathname, search } = new URL(url);
      const path = `${pathname}${search}`;
      const answer = await agent.request({ origin, path, method: 'POST', headers, body, signal });
      answer.body.on('error', () => {}).destroy();
      const retryAfter = answer.headers['retry-after'];
      return { status: answer.statusCode, retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter };
    },
    close: () => agent.destroy(),
  };
}
