import { createSecureContext, getCACertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import { exchange, headerOf } from '../common/exchange.ts';
import type { VaultEgress } from '../contract.ts';
import type { GcpConfig } from './config.ts';

export interface HttpRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string | undefined;
  /** Most bytes that the answer may have. */
  most?: number;
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  header(name: string): string | undefined;
  body: Buffer;
}

export interface Transport {
  /** Any answer. Follows no redirect, so that a token goes nowhere else. */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Closes every socket; requests under way fail. */
  close(): Promise<void>;
}

/** Far more than a secret of 64 KiB, a secret's metadata or a token; 32 of them may be in memory at once. */
const largestAnswer = 1024 * 1024;

/** Silence of a server that a caller's deadline did not end before. */
const silenceMs = 60_000;

/**
 * One set of connections for a backend, to its endpoint and to whatever gives tokens. Without `egress` for what the operator's
 * own identity is had from.
 */
export async function createTransport(config: Pick<GcpConfig, 'tls'>, egress: VaultEgress | null): Promise<Transport> {
  const { Agent, buildConnector } = await import('undici');
  const socket = {
    allowH2: false,
    timeout: 10_000,
    // Said explicitly, since NODE_TLS_REJECT_UNAUTHORIZED must not decide for a tenant.
    rejectUnauthorized: true,
    ...trustOf(config.tls?.ca_cert),
  };
  const agent = new Agent({
    keepAliveTimeout: 30_000,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    connect: egress ? egress.connector(socket) : buildConnector(socket),
  });
  return {
    async send({ method, url, headers, body = null, most = largestAnswer, signal }) {
      const { origin } = new URL(url);
      // Cut by hand: URL would resolve dots and decode what was encoded on purpose.
      const path = url.slice(url.indexOf('/', url.indexOf('//') + 2));
      const request = { origin, path, method: method as Dispatcher.HttpMethod, headers, body };
      const answer = await exchange(agent, request, most, signal);
      return { status: answer.status, header: (name) => headerOf(answer, name), body: answer.body };
    },
    close: () => agent.destroy(),
  };
}

/** An authority of one's own comes beside the usual ones: tokens may still be Google's to give. */
function trustOf(certificate: string | undefined) {
  if (certificate === undefined) return {};
  return { secureContext: createSecureContext({ ca: [...getCACertificates('default'), certificate] }) };
}
