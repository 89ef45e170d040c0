import { createPublicKey, verify } from 'node:crypto';

export type Claims = Record<string, unknown>;

/** A JSON web token in its parts. Nothing of it has been verified. */
export interface Jwt {
  header: Claims;
  claims: Claims;
  signed: Buffer;
  signature: Buffer;
}

/** Null for what is no such token. */
export function readJwt(text: unknown): Jwt | null {
  const [, head = '', body = '', signature = ''] = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(String(text)) ?? [];
  const [header, claims] = [decode(head), decode(body)];
  if (header === null || claims === null) return null;
  return { header, claims, signed: Buffer.from(`${head}.${body}`), signature: Buffer.from(signature, 'base64url') };
}

/** Whether the key, in PEM, has signed it, by the algorithm that the token names and the key is for. */
export function isSignedBy({ header, signed, signature }: Jwt, publicKey: string): boolean {
  const key = createPublicKey(publicKey);
  if (header.alg === 'RS256' && key.asymmetricKeyType === 'rsa') return verify('sha256', signed, key, signature);
  if (header.alg === 'ES256' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1')
    return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
  return false;
}

/** A claim that is one text or a list of them. */
export function textsOf(claim: unknown): string[] {
  return (Array.isArray(claim) ? claim : [claim]).filter((text) => typeof text === 'string');
}

function decode(part: string): Claims | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Claims) : null;
  } catch {
    return null;
  }
}
