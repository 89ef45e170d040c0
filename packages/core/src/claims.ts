/** Algorithms by which a private key signs: with others, whoever knows the public key could sign. */
export const signingAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

/** What a signed token says of who has it, as JSON. */
export type Claims = Record<string, unknown>;

/** What is asked of claims: by name, or by JSON pointer (RFC 6901, `/kubernetes.io/namespace`), a text each. */
export type WantedClaims = Readonly<Record<string, string>>;

/**
 * Whether claims are what is wanted, every one of them. A text, number or boolean has to be the same; of an array one text
 * has to. A wanted text that ends in `*` is the beginning of those that match.
 */
export function claimsMatch(claims: Claims, wanted: WantedClaims): boolean {
  const names = Object.entries(wanted);
  return names.length > 0 && names.every(([name, text]) => matches(claimAt(claims, name), text));
}

function matches(claim: unknown, wanted: string): boolean {
  if (Array.isArray(claim)) return claim.some((item) => typeof item === 'string' && sameText(item, wanted));
  if (typeof claim === 'string') return sameText(claim, wanted);
  return (typeof claim === 'number' || typeof claim === 'boolean') && String(claim) === wanted;
}

const sameText = (text: string, wanted: string): boolean =>
  wanted.endsWith('*') ? text.startsWith(wanted.slice(0, -1)) : text === wanted;

function claimAt(claims: Claims, name: string): unknown {
  if (!name.startsWith('/')) return memberOf(claims, name);
  return name
    .slice(1)
    .split('/')
    .reduce<unknown>((value, part) => memberOf(value, part.replaceAll('~1', '/').replaceAll('~0', '~')), claims);
}

function memberOf(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return /^(0|[1-9]\d{0,8})$/.test(name) ? value[Number(name)] : undefined;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}
