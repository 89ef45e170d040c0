import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';
import type { KeyPair } from './keys.ts';

export interface ServiceAccount {
  email: string;
  projectId: string;
  keyId: string;
  key: KeyPair;
  disabled: boolean;
  /** Principals that may act as it. */
  actors: Set<string>;
}

/** A person who has logged in to gcloud. */
export interface Person {
  email: string;
  clientId: string;
  clientSecret: string;
}

/** One provider of a workload identity pool, which trusts an issuer of OIDC tokens, or AWS. */
export interface Provider {
  /** What the exchange is asked for: `//iam.googleapis.com/projects/…/providers/…`. */
  audience: string;
  /** `principal://iam.googleapis.com/…/subject/`, before the subject. */
  principalPrefix: string;
  trusts: Oidc | Aws;
}

export interface Oidc {
  kind: 'oidc';
  issuer: string;
  /** What `aud` of its tokens must be. */
  tokenAudience: string;
  key: KeyPair;
}

interface Aws {
  kind: 'aws';
  /** By the id of the key: its secret, and whose it is. */
  keys: Map<string, { secret: string; arn: string }>;
}

export interface AccessToken {
  identity: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** Access tokens that were given out. */
export class TokenBook {
  readonly given = new Map<string, AccessToken>();
  readonly #clock: Clock;
  /** How long a token lives. */
  seconds: number;

  constructor(clock: Clock, seconds: number) {
    this.#clock = clock;
    this.seconds = seconds;
  }

  issue(identity: string, seconds = this.seconds): { token: string; seconds: number; expiresAt: number } {
    const token = `ya29.${randomBytes(48).toString('base64url')}`;
    const expiresAt = this.#clock.now() + seconds * 1_000;
    this.given.set(token, { identity, expiresAt });
    return { token, seconds, expiresAt };
  }

  /** Whose it is; `expired` and null for what is none. */
  lookUp(token: string): AccessToken | 'expired' | null {
    const found = this.given.get(token);
    if (found === undefined) return null;
    return this.#clock.now() < found.expiresAt ? found : 'expired';
  }

  /** As if all who have logged in so far had been revoked. */
  revokeAll(): void {
    this.given.clear();
  }
}
