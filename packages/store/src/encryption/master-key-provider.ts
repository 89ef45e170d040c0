import { hash } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';

/**
 * What wraps data keys: it alone has the master key, or asks for it to be used where it is kept. Both calls reject with
 * `key_provider_unavailable` where that place can't be asked or refuses, in words of our own.
 */
export interface MasterKeyProvider {
  /** Tells which key it is, and nothing about it. */
  readonly id: string;
  readonly kind: 'local' | 'transit' | 'kms';
  /** `associated` says what the data key is for: it is unwrapped as nothing else. */
  wrap(dataKey: Buffer, associated: string): Promise<Buffer>;
  /** Rejects with `decryption_failed` for what was altered, moved, or wrapped by another key. */
  unwrap(wrapped: Buffer, associated: string): Promise<Buffer>;
  close(): Promise<void>;
}

/** The id of a key that is known by its name alone. */
export const nameFingerprint = (kind: string, name: string) => `${kind}-${hash('sha256', name).slice(0, 16)}`;

export const providerUnavailable = (message: string) => new KeyferryError('key_provider_unavailable', message);

export const unwrapRefused = () =>
  new KeyferryError('decryption_failed', 'A wrapped data key could not be opened by its master key.');
