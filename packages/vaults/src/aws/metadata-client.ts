import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { KeyferryError, vaultFailure } from '@keyferry/core';
import { judgeTransport } from '../common/transport-failure.ts';
import type { ConnectContext } from '../contract.ts';
import { ending } from './caller.ts';

interface MetadataRequest {
  url: string;
  method?: 'GET' | 'PUT';
  headers?: Record<string, string>;
  /** What is attempted: goes after "Could not" in a message. */
  what: string;
}

interface MetadataAnswer {
  status: number;
  text: string;
}

/** Asks what the machine itself offers, counted as a login. Any status is an answer, but for those that say "not now". */
export type MetadataClient = (request: MetadataRequest, signal: AbortSignal) => Promise<MetadataAnswer>;

/** Far more than credentials or tokens have. */
const largestAnswer = 64 * 1024;

/**
 * The metadata services by plain HTTP. The SDK has a client of its own, which can't be aborted, tries again by itself,
 * falls back to the first version of the instance metadata, and goes by the machine's clock.
 */
export function createMetadataClient(context: ConnectContext, life: AbortSignal): MetadataClient {
  return (request, signal) =>
    context.call('login', signal, async (attempt) => {
      life.throwIfAborted();
      try {
        return await send(request, AbortSignal.any([attempt, life]));
      } catch (error) {
        if (attempt.aborted) throw ending(attempt.reason, request.what);
        throw life.aborted ? life.reason : failureOf(error, request.what);
      }
    });
}

/** One request on a socket of its own. */
function send(
  { url, method = 'GET', headers = {}, what }: MetadataRequest,
  signal: AbortSignal,
): Promise<MetadataAnswer> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, signal, agent: false });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const status = response.statusCode ?? 0;
      textOf(response).then((text) => {
        if (status === 429 || status >= 500)
          reject(vaultFailure('unavailable', `Could not ${what}: not now (${status}).`));
        else resolve({ status, text });
      }, reject);
    });
    sent.end();
  });
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > largestAnswer) throw new RangeError('longer than anything that is asked for');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length).toString();
}

function failureOf(error: unknown, what: string): KeyferryError {
  if (error instanceof KeyferryError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const [failureClass, why] = judgeTransport(code) ?? ['invalid', 'what answered is no metadata service'];
  return vaultFailure(failureClass, `Could not ${what}: ${why}.`);
}
