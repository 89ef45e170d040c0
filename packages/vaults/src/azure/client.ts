import { AsyncLocalStorage } from 'node:async_hooks';
import type { HttpClient, PipelineRequest } from '@azure/core-rest-pipeline';
import type { SecretClient } from '@azure/keyvault-secrets';
import { vaultFailure } from '@keyferry/core';
import { ending } from '../common/ending.ts';
import type { AzureConfig } from './config.ts';
import { malformed, transportFailure } from './errors.ts';
import type { HttpAnswer, HttpRequest, Transport } from './transport.ts';

/** The version of the API that is spoken: old enough for every cloud. */
const apiVersion = '7.4';

/** What came of one request. */
export interface Exchange<T> {
  answer: HttpAnswer;
  /** As the SDK reads it, where the vault answered 200; null where it answered anything else. */
  result: T | null;
}

interface CallOptions {
  token: string;
  /** What is attempted, and on which path: goes after "Could not" in a message. */
  what: string;
  signal: AbortSignal;
}

export interface VaultClient {
  /** Makes one call of the SDK's, which is one request. Rejects with a transport's failure, or the signal's reason. */
  call<T>(invoke: (sdk: SecretClient) => Promise<T>, options: CallOptions): Promise<Exchange<T>>;
  /** One request without the SDK; `path` has no query. Without a token it is challenged. */
  send(method: string, path: string, options: Omit<CallOptions, 'token'> & { token?: string }): Promise<HttpAnswer>;
}

/** What belongs to one call, and reaches the SDK's request through nothing but the flow of it. */
interface Flow {
  token: string;
  what: string;
  signal: AbortSignal;
  /** The one request, once it is made. */
  asked: Promise<HttpAnswer> | null;
}

/**
 * The SDK's client over a transport of ours. What a call needs (its signal, its token) comes to the transport by the flow
 * of the call, since the SDK gives neither to pages of a listing after the first.
 *
 * The SDK sends a client's first request without token and body, to be challenged, and what goes beside it meanwhile
 * without token but with its body. Here nothing goes out without a token: the challenge was met before, and is repeated
 * to the SDK from memory, before the first call and without a request.
 */
export async function createClient(config: AzureConfig, transport: Transport): Promise<VaultClient> {
  const [{ SecretClient }, { createHttpHeaders }] = await Promise.all([
    import('@azure/keyvault-secrets'),
    import('@azure/core-rest-pipeline'),
  ]);
  const { origin } = new URL(config.vault_url);
  const flows = new AsyncLocalStorage<Flow>();

  async function sendToVault(request: HttpRequest, what: string): Promise<HttpAnswer> {
    // A page names the address of the next one.
    if (new URL(request.url).origin !== origin)
      throw vaultFailure('invalid', `Could not ${what}: the vault sends to another address for the rest.`);
    try {
      return await transport.send(request);
    } catch (error) {
      throw request.signal.aborted ? ending(request.signal.reason, what) : transportFailure(error, what);
    }
  }

  const httpClient: HttpClient = {
    async sendRequest(request) {
      const respond = (status: number, headers: Record<string, string>, text: string) => ({
        request,
        status,
        headers: createHttpHeaders(headers),
        bodyAsText: text,
      });
      const flow = flows.getStore();
      if (flow === undefined) return respond(401, { 'www-authenticate': `Bearer resource="${origin}"` }, '');
      if (flow.asked !== null || !request.headers.has('authorization'))
        throw new Error('a call is one request, with a token');
      flow.asked = sendToVault(requestOf(request, flow), flow.what);
      const { status, headers, text } = await flow.asked;
      // Nothing else is for the SDK to act on: no redirect, no wait, no other challenge.
      return respond(status, { 'content-type': headers['content-type'] ?? '' }, text);
    },
  };
  const sdk = new SecretClient(config.vault_url, placeholder, {
    httpClient,
    serviceVersion: apiVersion,
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 },
    allowInsecureConnection: true,
    disableChallengeResourceVerification: true,
  });
  // Outside of any call: this is what is answered from memory.
  await sdk.getSecret('challenge').catch(() => {});

  return {
    async call(invoke, { token, what, signal }) {
      signal.throwIfAborted();
      const flow: Flow = { token, what, signal, asked: null };
      const outcome = await flows
        .run(flow, () => invoke(sdk))
        .then(
          (result) => ({ result }),
          (error: unknown) => ({ error }),
        );
      const { asked } = flow;
      // A socket that was opened in the flow may keep it as long as it lives.
      flow.asked = null;
      // Whatever the SDK makes of an answer, its errors hold parts of it: the answer itself is looked at instead.
      if (asked === null) throw malformed(what);
      const answer = await asked;
      if (answer.status !== 200) return { answer, result: null };
      if ('error' in outcome) throw malformed(what);
      return { answer, result: outcome.result };
    },

    send(method, path, { token, what, signal }) {
      const headers = { accept: 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) };
      const url = `${origin}${path}?api-version=${apiVersion}`;
      return sendToVault({ method, url, headers, body: null, signal }, what);
    },
  };
}

/** All that the SDK knows of tokens: each call's own takes its place in the request. */
const placeholder = { getToken: async () => ({ token: 'placeholder', expiresOnTimestamp: Number.MAX_SAFE_INTEGER }) };

function requestOf({ method, url, headers, body }: PipelineRequest, { token, signal }: Flow): HttpRequest {
  if (body != null && typeof body !== 'string') throw new Error('a body is text');
  const { 'accept-encoding': _encoding, ...others } = headers.toJSON();
  return { method, url, headers: { ...others, authorization: `Bearer ${token}` }, body: body ?? null, signal };
}
