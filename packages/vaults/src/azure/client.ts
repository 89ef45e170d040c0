import type { HttpClient, PipelineRequest } from '@azure/core-rest-pipeline';
import type { SecretClient } from '@azure/keyvault-secrets';
import { vaultFailure } from '@keyferry/core';
import type { AzureConfig } from './config.ts';
import { ending, malformed, transportFailure } from './errors.ts';
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

/**
 * The SDK's client over a transport of ours, one for each call: what a call needs (its signal, its token) comes with
 * the HTTP client, since the SDK gives neither to pages of a listing after the first.
 *
 * The SDK sends a client's first request without token and body, to be challenged, and what goes beside it meanwhile
 * without token but with its body. Here nothing goes out without a token: the challenge was met before, and is repeated
 * to the SDK from memory, for which no request is made.
 */
export async function createClient(config: AzureConfig, transport: Transport): Promise<VaultClient> {
  const [{ SecretClient }, { createHttpHeaders }] = await Promise.all([
    import('@azure/keyvault-secrets'),
    import('@azure/core-rest-pipeline'),
  ]);
  const { origin } = new URL(config.vault_url);
  const challenge = `Bearer authorization="${origin}", resource="${origin}"`;

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

  return {
    async call(invoke, { token, what, signal }) {
      signal.throwIfAborted();
      const made: Promise<HttpAnswer>[] = [];
      const httpClient: HttpClient = {
        async sendRequest(request) {
          const respond = (status: number, headers: Record<string, string>, text: string) => ({
            request,
            status,
            headers: createHttpHeaders(headers),
            bodyAsText: text,
          });
          if (!request.headers.has('authorization')) return respond(401, { 'www-authenticate': challenge }, '');
          if (made.length > 0) throw new Error('a call is one request');
          const asked = sendToVault(requestOf(request, signal), what);
          made.push(asked);
          const { status, headers, text } = await asked;
          // Nothing else is for the SDK to act on: no redirect, no wait, no other challenge.
          return respond(status, { 'content-type': headers['content-type'] ?? '' }, text);
        },
      };
      const sdk = new SecretClient(config.vault_url, credentialOf(token), {
        httpClient,
        serviceVersion: apiVersion,
        retryOptions: { maxRetries: 0 },
        redirectOptions: { maxRetries: 0 },
        allowInsecureConnection: true,
        disableChallengeResourceVerification: true,
      });
      const outcome = await invoke(sdk).then(
        (result) => ({ result }),
        (error: unknown) => ({ error }),
      );
      // Whatever the SDK makes of an answer, its errors hold parts of it: the answer itself is looked at instead.
      const [asked] = made;
      if (asked === undefined) throw malformed(what);
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

/** A token that is had already. The SDK must not judge its age: that was done before. */
function credentialOf(token: string) {
  return { getToken: async () => ({ token, expiresOnTimestamp: Number.MAX_SAFE_INTEGER }) };
}

function requestOf({ method, url, headers, body }: PipelineRequest, signal: AbortSignal): HttpRequest {
  if (body != null && typeof body !== 'string') throw new Error('a body is text');
  const { 'accept-encoding': _encoding, ...others } = headers.toJSON();
  return { method, url, headers: others, body: body ?? null, signal };
}
