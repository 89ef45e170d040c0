import type { KeyType, SecretValue } from '@keyferry/core';

/** A secret's value with what is told of it, as it was read once: never changed, and kept in memory alone. */
export interface HeldSecret {
  path: string;
  source: 'store' | 'vault';
  value: SecretValue;
  /** Keyferry's number; null where nothing is stored. */
  version: number | null;
  remoteVersion: string | null;
  state: 'active' | 'deprecated';
  type: KeyType | null;
  contentType: string;
  expiresAt: Date | null;
  backendId: string;
  backend: string;
  /** Where it was read in the vault; null where the store was. */
  remotePath: string | null;
  etag: string;
  /** Milliseconds since the epoch. */
  readAt: number;
  /** For how long it may be answered again, in milliseconds, and where what it came from can't be asked. */
  ttlMs: number;
  maxStaleMs: number;
}

/** What is answered to one read. */
export interface SecretRead {
  secret: HeldSecret;
  /** In whole seconds. */
  age: number;
  stale: boolean;
}

export type Outcome = { secret: HeldSecret } | { error: unknown };
