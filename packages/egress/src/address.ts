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
  const range: string = address.range();
  if (range === 'unicast') return isGlobal(address) && !isPlatform(address) ? 'public' : 'special';
  return ['loopback', 'private', 'uniqueLocal', 'carrierGradeNat'].includes(range) ? 'private' : 'special';
}

/** What Azure serves its machines at, though the address looks like any other. */
const isPlatform = (address: Address): boolean => address.toString() === '168.63.129.16';

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
