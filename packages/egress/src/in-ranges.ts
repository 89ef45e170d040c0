import ipaddr from 'ipaddr.js';
import { inRange, parseAddress, parseRange, type Range } from './address.ts';

const parsed = new WeakMap<readonly string[], readonly Range[]>();

/**
 * Whether a request comes from one of these addresses and networks. An IPv4 address may be written as an IPv6 one, as it is
 * where a server listens on both. What can't be read is nowhere.
 */
export function inRanges(address: string, ranges: readonly string[]): boolean {
  const found = parseAddress(address.replace(/%.*$/, ''));
  if (!found) return false;
  const plain = found instanceof ipaddr.IPv6 && found.isIPv4MappedAddress() ? found.toIPv4Address() : found;
  // A list that is asked of again and again is read once.
  const read = parsed.get(ranges) ?? ranges.flatMap((range) => parseRange(range) ?? []);
  parsed.set(ranges, read);
  return read.some((range) => plain.kind() === range.address.kind() && inRange(plain, range));
}
