import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** A key of the transit engine with all its versions, numbered from 1. */
export interface TransitKey {
  name: string;
  /** Whether each request brings a context, from which a key of its own is derived. */
  derived: boolean;
  versions: { bytes: Buffer; createdAt: number }[];
  minDecryptionVersion: number;
  deletionAllowed: boolean;
}

/** What the client is told it has done wrong. */
export class TransitRefusal extends Error {}

/** What belongs to a ciphertext beside it. */
export interface TransitBinding {
  context: Buffer;
  associatedData: Buffer;
}

const nonceLength = 12;
const tagLength = 16;

/** The keys of one mount. All are of the type aes256-gcm96. */
export class TransitStore {
  readonly keys = new Map<string, TransitKey>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A new key, or the one of this name as it is. */
  create(name: string, derived = false): TransitKey {
    const found = this.keys.get(name);
    if (found) return found;
    const key = { name, derived, versions: [], minDecryptionVersion: 1, deletionAllowed: false };
    this.keys.set(name, key);
    this.rotate(key);
    return key;
  }

  rotate({ versions }: TransitKey): void {
    versions.push({ bytes: randomBytes(32), createdAt: this.#now() });
  }

  encrypt(key: TransitKey, plaintext: Buffer, binding: TransitBinding): string {
    const version = key.versions.length;
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', keyFor(key, version, binding), nonce);
    cipher.setAAD(binding.associatedData);
    const bytes = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    return `vault:v${version}:${bytes.toString('base64')}`;
  }

  decrypt(key: TransitKey, ciphertext: string, binding: TransitBinding): Buffer {
    if (!ciphertext.startsWith('vault:v')) throw new TransitRefusal('invalid ciphertext: no prefix');
    const parts = ciphertext.slice('vault:v'.length).split(':');
    const [number = '', text = ''] = parts;
    if (parts.length !== 2) throw new TransitRefusal('invalid ciphertext: wrong number of fields');
    if (!/^\d+$/.test(number)) throw new TransitRefusal('invalid ciphertext: version number could not be decoded');
    const version = Number(number);
    if (version > key.versions.length) throw new TransitRefusal('invalid ciphertext: version is too new');
    if (version < key.minDecryptionVersion)
      throw new TransitRefusal('ciphertext or signature version is disallowed by policy (too old)');
    if (!isBase64(text)) throw new TransitRefusal('invalid ciphertext: could not decode base64');
    return open(keyFor(key, version, binding), Buffer.from(text, 'base64'), binding.associatedData);
  }
}

function keyFor(key: TransitKey, version: number, { context }: TransitBinding): Buffer {
  const found = key.versions[version - 1];
  if (!found) throw new TransitRefusal('invalid ciphertext: version is too new');
  if (!key.derived) return found.bytes;
  if (context.length === 0)
    throw new TransitRefusal(
      "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key",
    );
  return Buffer.from(hkdfSync('sha256', found.bytes, Buffer.alloc(0), context, 32));
}

function open(key: Buffer, bytes: Buffer, associatedData: Buffer): Buffer {
  if (bytes.length < nonceLength + tagLength) throw new TransitRefusal('invalid ciphertext: not long enough');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceLength));
    decipher.setAAD(associatedData);
    decipher.setAuthTag(bytes.subarray(-tagLength));
    return Buffer.concat([decipher.update(bytes.subarray(nonceLength, -tagLength)), decipher.final()]);
  } catch {
    throw new TransitRefusal('cipher: message authentication failed');
  }
}

/** As Go's standard encoding takes it: padded, and nothing else in it. */
export const isBase64 = (text: string): boolean =>
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text);
