import { createSecureContext, getCACertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import { exchange } from '../common/exchange.ts';
import type { VaultEgress } from '../contract.ts';

export interface HttpRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | null;
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  /** By name in lower case. */
  headers: Readonly<Record<string, string>>;
  text: string;
}

/** The sockets of one connection: to the vault, to the directory, and to a machine's metadata service. */
export interface Transport {
  /** Any answer; redirects are answers too. Rejects with undici’s errors, or `AnswerTooLarge`. */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Closes every socket; requests under way fail. */
  close(): Promise<void>;
}

/** A page of 25 secrets with all their tags has a quarter of that. */
const largestAnswer = 1024 * 1024;

/** Silence of a server that a caller's deadline did not end before. */
const silenceMs = 60_000;

/**
 * Without `egress` for what the operator's own identity is had from. `caCert` is trusted beside the authorities that the process trusts: the directory has a public
 * certificate.
 */
export async function createTransport(caCert: string | undefined, egress: VaultEgress | null): Promise<Transport> {
  const { Agent, buildConnector } = await import('undici');
  const socket = {
    allowH2: false,
    timeout: 10_000,
    // Said explicitly, since NODE_TLS_REJECT_UNAUTHORIZED must not decide for a tenant.
    rejectUnauthorized: true,
    // Made once: reading a hundred certificates takes longer than a handshake.
    ...(caCert !== undefined && {
      secureContext: createSecureContext({ ca: [...getCACertificates('default'), caCert] }),
    }),
  };
  const agent = new Agent({
    keepAliveTimeout: 30_000,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    connect: egress ? egress.connector(socket) : buildConnector(socket),
  });

  return {
    async send({ method, url, headers, body, signal }) {
      const { origin, pathname, search } = new URL(url);
      const request = { origin, path: pathname + search, method: method as Dispatcher.HttpMethod, headers, body };
      const answer = await exchange(agent, request, largestAnswer, signal);
      return { status: answer.status, headers: flatten(answer.headers), text: answer.body.toString() };
    },
    close: () => agent.destroy(),
  };
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const entries = Object.entries(headers).flatMap(([name, value]) => {
    const first = Array.isArray(value) ? value.join(', ') : value;
    return first === undefined ? [] : [[name.toLowerCase(), first] as const];
  });
  return Object.fromEntries(entries);
}
