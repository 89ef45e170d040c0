/** Largest body of a request, in bytes: settings with a few certificates are far below. */
export const bodyLimit = 256 * 1024;

/** The same of a request that brings a value: the largest one in base64, and more than that as text. */
export const valueBodyLimit = 4 * 1024 * 1024;

/** Longest part of an address that names something. Local paths have at most 1,024 bytes, three characters each. */
export const longestParameter = 3 * 1024;

/** How long a plan may take, in milliseconds, and how many are made at a time: each reads what a cycle would read. */
export const planDeadlineMs = 10 * 60_000;
export const plansAtATime = 2;

/** How long a client may take to send a whole request, in milliseconds: half of one must not hold a socket, or a stop. */
export const requestDeadlineMs = 10_000;

/** How long it may take for the headers of it, or to begin at all: those fit into a few packets. */
export const headersDeadlineMs = 5_000;

/** How often that is looked at; by itself Node looks every half a minute. */
export const connectionCheckMs = 1_000;

/** How long a handshake of TLS may take. */
export const handshakeDeadlineMs = 10_000;

/** How long a connection without a request is kept: longer than the 60 s of usual proxies, which would send into a closed one. */
export const idleConnectionMs = 72_000;

/** Most bytes and lines of headers: an address of 3 KiB and a token of 8 KiB fit. */
export const mostHeaderBytes = 16 * 1024;
export const mostHeaders = 100;

/** Connections at a time, of all clients: some 20 KiB of memory each, and far below the files that a process may open. */
export const mostConnections = 10_000;

/** Change feeds at a time of one identity, each of which is a connection: a service with more copies has more identities. */
export const feedsOfIdentity = 1_000;

/** After so long a client that has too many may try again, in milliseconds. */
export const feedRetryMs = 5_000;

/** The same of one that brings anchors of the audit log: an hour's each, of two years. */
export const anchorsBodyLimit = 4 * 1024 * 1024;
