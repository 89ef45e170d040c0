import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { Refusal } from './refusal.ts';

export interface TokenClaims {
  issuer: string;
  subject: string;
  audience?: string;
  /** Seconds from now; an hour by default. */
  expiresInSeconds?: number;
}

/** The claims that a role's trust looks at. */
export interface VerifiedClaims {
  issuer: string;
  subject: string;
  audience: string;
}

const usualAudience = 'sts.amazonaws.com';

/** Issues JSON web tokens as a cluster or a CI service would, for every issuer with the same key, and proves them. */
export class IdentityProvider {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  issue({ issuer, subject, audience = usualAudience, expiresInSeconds = 3600 }: TokenClaims): string {
    const expires = Math.floor(this.#now() / 1000) + expiresInSeconds;
    const claims = { iss: issuer, sub: subject, aud: audience, exp: expires };
    const unsigned = [{ alg: 'ES256', typ: 'JWT' }, claims].map(encode).join('.');
    return `${unsigned}.${this.#sign(unsigned).toString('base64url')}`;
  }

  verify(token: string): VerifiedClaims {
    const [header = '', payload = '', signature = ''] = token.split('.');
    const genuine = verify(
      'sha256',
      Buffer.from(`${header}.${payload}`),
      { key: this.#keys.publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
    if (!genuine)
      throw new Refusal('InvalidIdentityToken', "Couldn't retrieve verification key from your identity provider.");
    const { iss, sub, aud, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString());
    if (this.#now() / 1000 >= exp)
      throw new Refusal(
        'ExpiredTokenException',
        `Token expired: current date/time ${Math.floor(this.#now() / 1000)} must be before the expiration date/time ${exp}`,
      );
    return { issuer: iss, subject: sub, audience: aud };
  }

  #sign(text: string): Buffer {
    return sign('sha256', Buffer.from(text), { key: this.#keys.privateKey, dsaEncoding: 'ieee-p1363' });
  }
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
