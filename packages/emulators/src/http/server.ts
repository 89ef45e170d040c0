import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Faults, type RequestFacts } from './faults.ts';
import { RequestLog } from './request-log.ts';
import { type Reply, send } from './send.ts';

export interface TlsSettings {
  /** PEM. */
  cert: string;
  key: string;
  /** PEM of an authority whose certificates a client may show. */
  clientCa?: string;
  /** Whether a client has to show one; it does by default where `clientCa` is given. */
  clientCertRequired?: boolean;
}

export interface ListenOptions {
  /** 0, the default, takes a free one. */
  port?: number;
  /** 127.0.0.1 by default. */
  host?: string;
  tls?: TlsSettings;
  /** Milliseconds before each answer. */
  latencyMs?: number;
}

/** One request as a vault's emulator understands it. */
export interface Exchange {
  facts: RequestFacts;
  /** Called once the whole body is there, after faults had their say: what they replace has happened all the same. */
  answer(body: Buffer): Reply | Promise<Reply>;
}

/** Answers a request that is not the protocol's; false if it is. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface EmulatorServer {
  url: string;
  faults: Faults;
  requests: RequestLog;
  /** Milliseconds before each answer. */
  latency: { milliseconds: number };
  intercept: { current: Intercept | null };
  /** How many requests may have changed something. */
  writes: { count: number };
  /** Stops answering and drops every connection, hanging ones too. */
  close(): Promise<void>;
}

export interface Service {
  /** Reads everything but the body. */
  receive(message: IncomingMessage): Exchange;
  /** Under which name a request is counted; by default its operation. */
  kindOf?(facts: RequestFacts): string;
  /** The answer to a body that is larger than `maxBodyBytes`. */
  tooLarge(): Reply;
}

const maxBodyBytes = 32 * 1024 * 1024;

/** Serves one vault's protocol over HTTP or HTTPS, with faults, a log and a latency. */
export async function serve(service: Service, options: ListenOptions = {}): Promise<EmulatorServer> {
  const { port = 0, host = '127.0.0.1', tls, latencyMs = 0 } = options;
  const parts = {
    faults: new Faults(),
    requests: new RequestLog(service.kindOf ?? (({ operation }) => operation ?? 'other')),
    latency: { milliseconds: latencyMs },
    intercept: { current: null as Intercept | null },
    writes: { count: 0 },
  };
  const handler = (message: IncomingMessage, response: ServerResponse) => {
    if (parts.intercept.current?.(message, response) === true) return;
    handle(parts, service, message, response);
  };
  const server = tls === undefined ? createServer(handler) : createTlsServer(serverTls(tls), handler);
  // Idle connections outlive a client's pauses, so that no request meets a closing socket.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  const url = `${tls === undefined ? 'http' : 'https'}://${name}:${address.port}`;
  return { ...parts, url, close: () => shut(server) };
}

function serverTls({ cert, key, clientCa, clientCertRequired = true }: TlsSettings) {
  return {
    cert,
    key,
    ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: clientCertRequired }),
  };
}

/** Drops live sockets too: a hanging request must not keep a test from ending. */
async function shut(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

type Parts = Omit<EmulatorServer, 'url' | 'close'>;

function handle(parts: Parts, service: Service, message: IncomingMessage, response: ServerResponse): void {
  const { facts, answer } = service.receive(message);
  const fault = parts.faults.take(facts);
  const finish = async (body: Buffer | null) => {
    const reply = await (body === null ? service.tooLarge() : answer(body));
    const status = send(response, reply, fault);
    if (facts.method !== 'GET') parts.writes.count += 1;
    parts.requests.record({ ...facts, status });
  };
  collect(message, (body) => {
    const delay = parts.latency.milliseconds + (fault?.kind === 'slow' ? fault.delayMs : 0);
    if (delay > 0) setTimeout(finish, delay, body);
    else void finish(body);
  });
}

/** The body, or null where it is larger than the server takes. Not called if the client goes away. */
export function collect(message: IncomingMessage, done: (body: Buffer | null) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  message.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxBodyBytes) chunks.push(chunk);
  });
  message.on('end', () => done(size > maxBodyBytes ? null : Buffer.concat(chunks)));
}
