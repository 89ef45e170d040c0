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

interface EgressRead {
  maxBytes: number;
  signal: AbortSignal;
}

/** Sends to addresses that tenants name. */
export interface EgressClient {
  readonly policy: EgressPolicy;
  readonly resolve: Resolve | undefined;
  /** Doesn't follow redirects. Rejects with `egress_refused`, the signal's reason, or undici's errors. */
  post(url: string, request: EgressRequest): Promise<EgressAnswer>;
  /**
   * Reads what is at an address, as it is: redirects are not followed. Null for what is longer than `maxBytes`. Rejects as
   * `post` does.
   */
  get(url: string, request: EgressRead): Promise<{ status: number; body: Buffer | null }>;
  close(): Promise<void>;
}

export interface EgressClientOptions {
  policy: EgressPolicy;
  /** How names are looked up; the system's way by default. */
  resolve?: Resolve | undefined;
  /** PEM of the authorities that sign certificates, in place of those that the system trusts. */
  ca?: string | undefined;
}

const connectMs = 10_000;
/** Callers have deadlines of their own, shorter ones. */
const silenceMs = 60_000;

export function createEgressClient({ policy, resolve, ca }: EgressClientOptions): EgressClient {
  const agent = new Agent({
    connect: egressConnector({ policy, resolve }, { timeout: connectMs, ...(ca && { ca }) }),
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
    async get(url, { maxBytes, signal }) {
      const { origin, pathname, search } = new URL(url);
      const headers = { accept: 'application/json' };
      const answer = await agent.request({ origin, path: `${pathname}${search}`, method: 'GET', headers, signal });
      return { status: answer.statusCode, body: await readUpTo(answer.body, maxBytes) };
    },
    close: () => agent.destroy(),
  };
}

async function readUpTo(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    // Leaving the loop ends the answer.
    if (length > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
