import { AsyncLocalStorage } from 'node:async_hooks';
import type { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import type { CallOptions } from 'google-gax';
import { ending } from '../common/ending.ts';
import type { GcpConfig } from './config.ts';
import { failureOf, malformed, RefusedAnswer, transportFailure } from './errors.ts';
import type { Transport } from './transport.ts';

/** One call of the SDK, which makes one request: which method, on what. */
export type SdkCall<Result> = (sdk: SecretManagerServiceClient, options: CallOptions) => Promise<Result>;

export interface VaultRequest<Result> {
  call: SdkCall<Result>;
  /** What is attempted, and on which path: goes after "Could not" in a message. */
  what: string;
  token: string;
  /** Many secrets are expected: more is read than of other answers. */
  listing?: boolean | undefined;
  signal: AbortSignal;
}

export interface VaultClient {
  /** What a successful answer holds, and its bytes. Rejects with the failure of any other, or the signal's reason. */
  send<Result>(request: VaultRequest<Result>): Promise<{ result: Result; body: Buffer }>;
}

/** What belongs to one call, and reaches the SDK's request through nothing but the flow of it. */
interface Exchange {
  token: string;
  signal: AbortSignal;
  most: number;
  /** The bytes of a successful answer. */
  body: Buffer | null;
}

/** A page of secrets, each with some kilobytes of labels and annotations. */
const largestListing = 64 * 1024 * 1024;
const largestAnswer = 1024 * 1024;

/** No retries and no timer of the SDK's own: whoever gives the signal decides on both. */
const options = { retry: null, timeout: Number.POSITIVE_INFINITY, autoPaginate: false } as const;

type SdkOptions = NonNullable<ConstructorParameters<typeof SecretManagerServiceClient>[0]>;

/**
 * Google's client over a transport of ours, which it takes for its authentication. Its own HTTP layer drops headers,
 * follows redirects with the token and makes retries that hide a 429; its log would show values to whoever sets
 * GOOGLE_SDK_NODE_LOGGING.
 */
export async function createClient(config: GcpConfig, transport: Transport, now: () => number): Promise<VaultClient> {
  const { SecretManagerServiceClient: Sdk } = await import('@google-cloud/secret-manager');
  const origin = new URL(endpointOf(config)).origin;
  const exchanges = new AsyncLocalStorage<Exchange>();
  const authentication = {
    getRequestHeaders: async () => new Headers(),
    async fetch(url: string, init: { method: string; headers: Headers; body?: string }) {
      const exchange = exchanges.getStore();
      if (exchange === undefined) throw new Error('a request that no call has made');
      const { token, signal, most } = exchange;
      const answer = await transport.send({
        method: init.method,
        url: origin + url.slice(url.indexOf('/', 'https://'.length)),
        headers: { ...Object.fromEntries(init.headers), authorization: `Bearer ${token}` },
        body: init.body,
        most,
        signal,
      });
      if (answer.status !== 200) throw new RefusedAnswer(answer);
      exchange.body = answer.body;
      return { ok: true, status: 200, arrayBuffer: async () => answer.body };
    },
  };
  const sdk = new Sdk({
    fallback: true,
    universeDomain: 'googleapis.com',
    enableTelemetryLogging: false,
    // Of all that Google's own class can do, the SDK uses these two in this mode.
    auth: authentication as unknown as SdkOptions['auth'],
  } as SdkOptions);
  Object.assign(sdk, { _log: { info: () => {} } });

  return {
    async send({ call, what, token, listing = false, signal }) {
      signal.throwIfAborted();
      const exchange: Exchange = { token, signal, most: listing ? largestListing : largestAnswer, body: null };
      try {
        const result = await exchanges.run(exchange, () => call(sdk, { ...options }));
        if (exchange.body === null) throw malformed(what);
        return { result, body: exchange.body };
      } catch (error) {
        if (signal.aborted) throw ending(signal.reason, what);
        const cause = error instanceof Error ? error.cause : undefined;
        if (cause instanceof RefusedAnswer) throw failureOf(cause.answer, what, now());
        throw exchange.body === null ? transportFailure(cause, what) : malformed(what);
      }
    },
  };
}

function endpointOf({ endpoint, location }: Pick<GcpConfig, 'endpoint' | 'location'>): string {
  if (endpoint !== undefined) return endpoint;
  return location === undefined
    ? 'https://secretmanager.googleapis.com'
    : `https://secretmanager.${location}.rep.googleapis.com`;
}
