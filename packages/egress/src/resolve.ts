import { lookup } from 'node:dns/promises';
import { allowsAddress, assertDestination, type Destination, type EgressPolicy, notAllowed } from './policy.ts';

export interface ResolvedAddress {
  address: string;
  family: number;
}

/** Looks a host's addresses up. */
export type Resolve = (host: string) => Promise<ResolvedAddress[]>;

const systemResolve: Resolve = (host) => lookup(host, { all: true });

/**
 * The addresses of a host that may be connected to, of which one is to be used: another look-up might give others. Rejects
 * with `egress_refused`, or as the look-up does.
 */
export async function resolveAllowed(
  policy: EgressPolicy,
  destination: Destination,
  resolve: Resolve = systemResolve,
): Promise<ResolvedAddress[]> {
  assertDestination(policy, destination);
  const addresses = await resolve(destination.host.replace(/^\[(.*)\]$/, '$1'));
  const allowed = addresses.filter(({ address }) => allowsAddress(policy, destination, address));
  if (allowed.length === 0) throw notAllowed(destination.host, destination.plain);
  return allowed;
}
