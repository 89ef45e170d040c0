import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';
import { seal, unseal } from './cipher.ts';
import type { MasterKeyProvider } from './master-key-provider.ts';

/** A master key of 32 bytes that this process has in memory. */
export class LocalMasterKey implements MasterKeyProvider {
  readonly id: string;
  readonly kind = 'local';
  readonly #key: KeyObject;

  constructor(bytes: Buffer) {
    this.id = createHmac('sha256', bytes).update('keyferry master key').digest('hex').slice(0, 16);
    this.#key = createSecretKey(bytes);
  }

  async wrap(dataKey: Buffer, associated: string): Promise<Buffer> {
    return seal(this.#key, dataKey, associated);
  }

  async unwrap(wrapped: Buffer, associated: string): Promise<Buffer> {
    return unseal(this.#key, wrapped, associated);
  }

  async close(): Promise<void> {}
}

/** Takes base64 of 32 bytes. Throws `master_key_invalid`, which names where the text was found. */
export function parseMasterKey(text: string, where: string): LocalMasterKey {
  const bytes = Buffer.from(text.trim(), 'base64');
  if (bytes.length !== 32 || !/^[A-Za-z0-9+/_-]{43}=?$/.test(text.trim()))
    throw new KeyferryError('master_key_invalid', `The master key in ${where} is not 32 bytes in base64.`);
  return new LocalMasterKey(bytes);
}
