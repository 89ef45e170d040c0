import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createEncryptedServer } from 'node:https';
import {
  connectionCheckMs,
  handshakeDeadlineMs,
  headersDeadlineMs,
  idleConnectionMs,
  mostConnections,
  mostHeaderBytes,
  mostHeaders,
  requestDeadlineMs,
} from '../limits.ts';
import type { Certificates } from './certificates.ts';
import { dropSlowClients, type Patience, usualPatience } from './slow-clients.ts';

export interface ListenerOptions {
  /** Without, requests are taken unencrypted. */
  certificates?: Certificates | undefined;
  patience?: Patience | undefined;
}

const bounds: ServerOptions = {
  requestTimeout: requestDeadlineMs,
  headersTimeout: headersDeadlineMs,
  connectionsCheckingInterval: connectionCheckMs,
  keepAliveTimeout: idleConnectionMs,
  maxHeaderSize: mostHeaderBytes,
};

/** The server that requests come by, with bounds on what one client may hold of it. */
export function createListener(
  onRequest: RequestListener,
  { certificates, patience = usualPatience }: ListenerOptions,
): Server {
  const server = certificates
    ? createEncryptedServer({ ...bounds, ...certificates.options(), handshakeTimeout: handshakeDeadlineMs }, onRequest)
    : createServer(bounds, onRequest);
  if ('setSecureContext' in server) certificates?.keepOn(server);
  server.maxConnections = mostConnections;
  server.maxHeadersCount = mostHeaders;
  dropSlowClients(server, patience);
  return server;
}
