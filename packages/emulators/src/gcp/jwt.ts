import { type KeyObject, sign, verify } from 'node:crypto';

export type Claims = Record<string, unknown>;

export interface Jwt {
  header: Claims;
  claims: Claims;
  signed: string;
  signature: Buffer;
}

export function signJwt(header: Claims, claims: Claims, key: KeyObject): string {
  const signed = [{ alg: 'RS256', typ: 'JWT', ...header }, claims].map(encode).join('.');
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`;
}

/** The parts of a JSON web token, or null for any other text. */
export function readJwt(text: string): Jwt | null {
  const [header, claims, signature, ...rest] = text.split('.');
  if (header === undefined || claims === undefined || signature === undefined || rest.length > 0) return null;
  const [readHeader, readClaims] = [decode(header), decode(claims)];
  if (readHeader === null || readClaims === null) return null;
  return {
    header: readHeader,
    claims: readClaims,
    signed: `${header}.${claims}`,
    signature: Buffer.from(signature, 'base64url'),
  };
}

/** Whether the key has signed it, by RS256 and nothing else. */
export function isSignedBy({ header, signed, signature }: Jwt, key: KeyObject): boolean {
  return header.alg === 'RS256' && verify('RSA-SHA256', Buffer.from(signed), key, signature);
}

function encode(part: Claims): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function decode(part: string): Claims | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Claims) : null;
  } catch {
    return null;
  }
}
