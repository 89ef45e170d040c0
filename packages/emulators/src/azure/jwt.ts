import { constants, type KeyObject, sign, verify } from 'node:crypto';

/** A JSON web token in its parts; nothing of it has been verified. */
export interface Jwt {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
  /** What the signature is over. */
  signed: string;
  signature: Buffer;
}

export function signJwt(header: object, claims: object, privateKey: KeyObject): string {
  const signed = `${encode({ typ: 'JWT', alg: 'RS256', ...header })}.${encode(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
}

/** Null for what is no such token. */
export function parseJwt(text: string): Jwt | null {
  const match = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(text);
  const header = decode(match?.[1]);
  const claims = decode(match?.[2]);
  if (match === null || header === null || claims === null) return null;
  return { header, claims, signed: `${match[1]}.${match[2]}`, signature: Buffer.from(match[3] ?? '', 'base64url') };
}

/** Whether this key has signed it, by RS256 or PS256. */
export function isSignedBy({ header, signed, signature }: Jwt, publicKey: KeyObject): boolean {
  const data = Buffer.from(signed);
  if (header.alg === 'RS256') return verify('sha256', data, publicKey, signature);
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  return header.alg === 'PS256' && verify('sha256', data, { key: publicKey, padding, saltLength }, signature);
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function decode(part: string | undefined): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString());
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
