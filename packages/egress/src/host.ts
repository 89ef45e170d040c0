import { isIP } from 'node:net';

/**
 * A host's name or address as connections are made to it: in lower case, names in ASCII, addresses in their one usual
 * spelling (`0177.1` is 127.0.0.1), without brackets and the dot at the end. Null for what is no host.
 */
export function canonicalHost(text: string): string | null {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const address = isIP(bare) === 6;
  if (!address && !/^[^\s/:?#@%\\[\]]+$/.test(bare)) return null;
  // Addresses of one link only: a URL has no place for the zone.
  const written = address ? `[${bare.replace(/%.*$/, '')}]` : bare;
  if (!URL.canParse(`http://${written}/`)) return null;
  const host = new URL(`http://${written}/`).hostname.replace(/^\[|\]$|\.$/g, '');
  return host === '' ? null : host;
}
