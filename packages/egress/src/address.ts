import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Where an address leads: to the internet, into a network of one's own, or to neither. */
export type Reach = 'public' | 'private' | 'special';

export interface Range {
  address: Address;
  bits: number;
}

/** Null for anything but an address in its usual spelling: others are read as octal by some and as decimal by others. */
export function parseAddress(text: string): Address | null {
  return isIP(text) === 0 ? null : ipaddr.parse(text);
}

/** `10.0.0.0/8`, or an address alone. Null for anything else. */
export function parseRange(text: string): Range | null {
  const [, written = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(written);
  if (address === null) return null;
  const most = address.kind() === 'ipv4' ? 32 : 128;
  if (Number(bits ?? most) > most) return null;
  return { address, bits: Number(bits ?? most) };
}

export function inRange(address: Address, range: Range): boolean {
  return [address, embedded(address)].some(
    (form) => form !== null && form.kind() === range.address.kind() && form.match(range.address, range.bits),
  );
}

export function reachOf(address: Address): Reach {
  const inner = embedded(address);
  if (inner !== null) return reachOf(inner);
  if (isPlatform(address)) return 'special';
  const range: string = address.range();
  if (range === 'unicast') return isGlobal(address) ? 'public' : 'special';
  return ['loopback', 'private', 'uniqueLocal', 'carrierGradeNat'].includes(range) ? 'private' : 'special';
}

/**
 * What clouds serve their machines' identities at, though the addresses look like any other: Azure's, Alibaba's, Amazon's two
 * and Google's by IPv6.
 */
const platforms = ['168.63.129.16', '100.100.100.200', 'fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254'];

const isPlatform = (address: Address): boolean => platforms.includes(address.toString());

/** Whether a network consists of special addresses alone, as far as whoever wrote it down can have meant it. */
export function namesSpecial({ address, bits }: Range): boolean {
  const leastBits = embedded(address) === null ? 0 : 96;
  return bits > leastBits && reachOf(address) === 'special';
}

/** Of IPv6, what is outside 2000::/3 is given to nobody, or has a meaning that nobody needs here. */
function isGlobal(address: Address): boolean {
  return address instanceof ipaddr.IPv4 || ((address.parts[0] ?? 0) & 0xe000) === 0x2000;
}

/** The IPv4 address that an IPv6 one stands for, mapped (`::ffff:…`) or behind NAT64 (`64:ff9b::/96`). */
function embedded(address: Address): ipaddr.IPv4 | null {
  if (address instanceof ipaddr.IPv4) return null;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  const nat64 = address.match(ipaddr.IPv6.parse('64:ff9b::'), 96);
  return nat64 ? new ipaddr.IPv4(address.toByteArray().slice(12)) : null;
}

/**
 * What counts as one source of requests: an IPv4 address, or the network of 64 bits that an IPv6 one is in, since that is what
 * each customer of a provider has. Text that is no address is its own.
 */
export function sourceNetwork(text: string): string {
  // Each request comes by here, and most come by IPv4.
  const address = text.includes(':') ? parseAddress(text) : null;
  if (address === null || address instanceof ipaddr.IPv4) return text;
  const mapped = embedded(address);
  if (mapped !== null) return mapped.toString();
  return `${new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`;
}
