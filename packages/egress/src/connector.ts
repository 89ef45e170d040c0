import type { LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { assertDestination, type EgressPolicy } from './policy.ts';
import { type Resolve, resolveAllowed } from './resolve.ts';

export interface ConnectorOptions {
  policy: EgressPolicy;
  resolve?: Resolve | undefined;
}

/**
 * What undici connects by. The policy is asked for the addresses that a connection is made to, in the moment it is made:
 * whatever a name has led to before, or leads to for others, doesn't count. `socket`: time and TLS of its sockets.
 */
export function egressConnector(
  { policy, resolve }: ConnectorOptions,
  socket: buildConnector.BuildOptions,
): buildConnector.connector {
  const connectorFor = (plain: boolean) =>
    buildConnector({ ...socket, allowH2: false, lookup: egressLookup(policy, plain, resolve) });
  const [encrypted, unencrypted] = [connectorFor(false), connectorFor(true)];
  return (options, callback) => {
    const plain = options.protocol !== 'https:';
    try {
      // An address in place of a name is never looked up.
      assertDestination(policy, { host: options.hostname, plain });
    } catch (error) {
      return callback(error as Error, null);
    }
    return (plain ? unencrypted : encrypted)(options, callback);
  };
}

/** What `net.connect` looks a name up by. An address in place of a name is never looked up: it is the caller's to check. */
export function egressLookup(policy: EgressPolicy, plain: boolean, resolve?: Resolve): LookupFunction {
  return (host, options, callback) => {
    resolveAllowed(policy, { host, plain }, resolve).then(
      (addresses) => {
        if (options.all) callback(null, addresses);
        else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, options.all ? [] : ''),
    );
  };
}
