import { createCipheriv, createDecipheriv, createHmac, type KeyObject, randomFillSync } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';

/**
 * AES-256-GCM. A ciphertext is format (1 byte), nonce (12), tag (16), then the encrypted bytes. The associated data say
 * what the ciphertext is for; opened as anything else it fails.
 *
 * A key that is used for many values comes as a KeyObject: of bytes, Node would make one for each use, which takes more time
 * than the cipher does.
 */

const format = 1;
const nonceLength = 12;
const headerLength = 1 + nonceLength + 16;

/** Asking the system costs more than a small value's encryption: it is asked for many at once. None is given twice. */
const nonces = Buffer.alloc(1024 * nonceLength);
let used = nonces.length;

function freshNonce(): Buffer {
  if (used === nonces.length) {
    randomFillSync(nonces);
    used = 0;
  }
  const nonce = Buffer.from(nonces.subarray(used, used + nonceLength));
  used += nonceLength;
  return nonce;
}

export function seal(key: Buffer | KeyObject, plaintext: Buffer, associated: string): Buffer {
  const nonce = freshNonce();
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(associated, 'utf8'));
  const encrypted = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.of(format), nonce, cipher.getAuthTag(), encrypted]);
}

/** Throws `decryption_failed` for an altered ciphertext, another key, or other associated data. */
export function unseal(key: Buffer | KeyObject, ciphertext: Buffer, associated: string): Buffer {
  try {
    if (ciphertext[0] !== format || ciphertext.length < headerLength) throw new Error('format');
    const decipher = createDecipheriv('aes-256-gcm', key, ciphertext.subarray(1, 13));
    decipher.setAAD(Buffer.from(associated, 'utf8'));
    decipher.setAuthTag(ciphertext.subarray(13, headerLength));
    return Buffer.concat([decipher.update(ciphertext.subarray(headerLength)), decipher.final()]);
  } catch {
    throw new KeyferryError('decryption_failed', 'A stored ciphertext could not be opened.');
  }
}

export function keyedDigest(key: KeyObject, bytes: Buffer): Buffer {
  return createHmac('sha256', key).update(bytes).digest();
}
