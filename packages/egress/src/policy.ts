import { KeyferryError } from '@keyferry/core';
import { inRange, namesSpecial, parseAddress, parseRange, type Range, reachOf } from './address.ts';
import { canonicalHost } from './host.ts';

/**
 * Where Keyferry connects to on a tenant's word: public addresses over TLS, and what the operator allows beside them. An
 * address of a link (such as a cloud's metadata service) is allowed only by being named itself, not by its host's name.
 */
export interface EgressPolicy {
  readonly ranges: readonly Range[];
  /** Canonical names. */
  readonly hosts: ReadonlySet<string>;
}

/** What a connection is to. `plain`: without TLS. */
export interface Destination {
  host: string;
  plain: boolean;
}

/**
 * Reads `10.0.0.0/8,127.0.0.1,mail.internal` of a variable: addresses, networks and names of hosts that are allowed though they are not
 * public, and to which connections without TLS are allowed. Nothing is allowed by no text. Throws `config_invalid`.
 */
export function parseEgress(text: string | undefined, variable = 'KEYFERRY_ALLOWED_EGRESS'): EgressPolicy {
  const ranges: Range[] = [];
  const hosts = new Set<string>();
  for (const entry of (text ?? '').split(',').map((part) => part.trim())) {
    if (entry === '') continue;
    const range = parseRange(entry.replace(/^\[(.*)\]$/, '$1'));
    if (range) {
      ranges.push(range);
      continue;
    }
    const host = /[/*]/.test(entry) ? null : canonicalHost(entry);
    // What a URL reads as an address, though it isn't spelled like one, was meant as something else.
    if (host === null || parseAddress(host) !== null)
      throw new KeyferryError(
        'config_invalid',
        `${variable} has "${entry}", which is no address, network (10.0.0.0/8) or name of a host.`,
      );
    hosts.add(host);
  }
  return { ranges, hosts };
}

/**
 * Refuses what can be told before a name is looked up: a host that is none, an address that is not allowed, and a
 * connection without TLS to a host that is not listed. Throws `egress_refused`.
 */
export function assertDestination(policy: EgressPolicy, { host, plain }: Destination): void {
  const canonical = canonicalHost(host);
  if (canonical === null) throw refused(host, 'it is not the name or address of a host');
  if (parseAddress(canonical) !== null) {
    if (!allowsAddress(policy, { host: canonical, plain }, canonical)) throw notAllowed(host, plain);
  } else if (plain && !policy.hosts.has(canonical)) throw notAllowed(host, plain);
}

/** Whether a connection to this host may go to this address, which is one of its own. */
export function allowsAddress(policy: EgressPolicy, { host, plain }: Destination, address: string): boolean {
  const parsed = parseAddress(address);
  if (parsed === null) return false;
  const reach = reachOf(parsed);
  const ranges = policy.ranges.filter((range) => inRange(parsed, range));
  // A network as wide as 0.0.0.0/0 has them all, and nobody who writes it thinks of a machine's identity.
  if (ranges.some((range) => reach !== 'special' || namesSpecial(range))) return true;
  const named = policy.hosts.has(canonicalHost(host) ?? '');
  return named ? reach !== 'special' : reach === 'public' && !plain;
}

/** The address of a destination without the words of it: a URL may hold a token. */
export function notAllowed(host: string, plain: boolean): KeyferryError {
  return refused(
    host,
    plain ? 'connections without TLS have to be allowed for it' : 'it has no address that is allowed',
  );
}

function refused(host: string, why: string): KeyferryError {
  return new KeyferryError('egress_refused', `Keyferry does not connect to "${host}": ${why}.`);
}
