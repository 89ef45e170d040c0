import { type Exchange, exchange, headerOf } from '../common/exchange.ts';
import { parseJson } from '../common/json.ts';
import type { VaultEgress } from '../contract.ts';
import type { HashicorpConfig } from './config.ts';
import type { Answer } from './errors.ts';
import { tlsOptions } from './tls.ts';

/** What node-vault hands to its HTTP layer, as far as we set it. */
export interface TransportRequest {
  method: 'GET' | 'POST' | 'DELETE';
  uri: string;
  headers: Record<string, string>;
  json?: object;
  listing: boolean;
  signal: AbortSignal;
}

export interface Transport {
  request(request: TransportRequest): Promise<Answer>;
  /** Closes every socket; requests under way fail. */
  close(): Promise<void>;
}

/** Larger than any secret that can be carried; 32 of them may be in memory at once. */
const largestAnswer = 4 * 1024 * 1024;

/** A folder of some hundred thousand names, or of tens of thousands with their metadata. */
const largestListing = 16 * 1024 * 1024;

/** Silence of a server that a caller's deadline did not end before. */
const silenceMs = 60_000;

/**
 * One pool of connections to one vault. Only its own origin is ever spoken to, so that a token goes nowhere else.
 * Rejects with `config_invalid` for certificates or a key that can't be used.
 */
export async function createTransport(config: HashicorpConfig, egress: VaultEgress): Promise<Transport> {
  const { Pool } = await import('undici');
  const { origin } = new URL(config.address);
  const pool = new Pool(origin, {
    keepAliveTimeout: 30_000,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    connect: egress.connector({ allowH2: false, timeout: 10_000, ...tlsOptions(config) }),
  });

  const send = ({ method, headers, json, listing, signal }: TransportRequest, path: string) => {
    const request = { method, path, headers, body: json === undefined ? null : JSON.stringify(json) };
    return exchange(pool, request, listing ? largestListing : largestAnswer, signal);
  };

  return {
    async request(request) {
      // Cut by hand: URL would resolve dots and decode what was encoded on purpose.
      const path = request.uri.slice(origin.length);
      const first = await send(request, path);
      const moved = pathOfRedirect(first, origin, path);
      const answer = moved === null ? first : await send(request, moved);
      return { status: answer.status, retryAfter: headerOf(answer, 'retry-after'), body: parseBody(answer.body) };
    },
    close: () => pool.destroy(),
  };
}

/** Where a 307 or 308 points to, if that is the same origin. */
function pathOfRedirect(answer: Exchange, origin: string, path: string): string | null {
  const location = headerOf(answer, 'location');
  if ((answer.status !== 307 && answer.status !== 308) || location === undefined) return null;
  const target = URL.canParse(location, origin + path) ? new URL(location, origin + path) : null;
  return target?.origin === origin ? target.pathname + target.search : null;
}

function parseBody(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return parseJson(body.toString());
  } catch {
    // Not JSON, or nested beyond reason: whoever needs a body will miss it.
    return undefined;
  }
}
