import type { LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { assertDestination, type EgressPolicy } from './policy.ts';
import { type Resolve, resolveAllowed } from './resolve.ts';

export interface ConnectorOptions {
  policy: EgressPolicy;
  resolve?: Resolve | undefined;
  /** Milliseconds until a connection has to be there. */
  timeoutMs: number;
  /** PEM of the authorities that sign certificates, in place of those that the system trusts. */
  ca?: string | undefined;
}

/**
 * What undici connects by. The policy is asked for the addresses that a connection is made to, in the moment it is made:
 * whatever a name has led to before, or leads to for others, doesn't count.
 */
export function egressConnector({ policy, resolve, timeoutMs, ca }: ConnectorOptions): buildConnector.connector {
  const connectorFor = (plain: boolean) =>
    buildConnector({ timeout: timeoutMs, allowH2: false, ...(ca && { ca }), lookup: lookupBy(policy, plain, resolve) });
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

function lookupBy(policy: EgressPolicy, plain: boolean, resolve: Resolve | undefined): LookupFunction {
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
