import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { Refusal } from './refusal.ts';

type KmsKeyState = 'Enabled' | 'Disabled' | 'PendingDeletion';

/** A symmetric key to encrypt and decrypt with. */
export interface KmsKey {
  id: string;
  arn: string;
  state: KmsKeyState;
  createdAt: number;
  bytes: Buffer;
}

export type EncryptionContext = Readonly<Record<string, string>>;

const idLength = 36;
const nonceLength = 12;
const tagLength = 16;

/** The keys of one account in one region. */
export class KmsStore {
  readonly #place: string;
  readonly #now: () => number;
  readonly #keys = new Map<string, KmsKey>();
  /** Ids of keys, by the names of their aliases with `alias/` before them. */
  readonly #aliases = new Map<string, string>();

  constructor(account: string, region: string, now: () => number) {
    this.#place = `arn:aws:kms:${region}:${account}`;
    this.#now = now;
  }

  create(alias?: string): KmsKey {
    const id = randomUUID();
    const arn = `${this.#place}:key/${id}`;
    const key: KmsKey = { id, arn, state: 'Enabled', createdAt: this.#now(), bytes: randomBytes(32) };
    this.#keys.set(id, key);
    if (alias !== undefined) this.alias(alias, id);
    return key;
  }

  /** Makes an alias, or points it elsewhere. */
  alias(name: string, id: string): void {
    this.#aliases.set(name, id);
  }

  /** By id, ARN, alias or an alias's ARN. Throws NotFoundException. */
  find(asked: string): KmsKey {
    const local = asked.startsWith(`${this.#place}:`) ? asked.slice(this.#place.length + 1) : asked;
    const isAlias = local.startsWith('alias/');
    const id = isAlias ? this.#aliases.get(local) : local.replace(/^key\//, '');
    const key = id === undefined ? undefined : this.#keys.get(id);
    if (key && (isAlias || local === asked || local.startsWith('key/'))) return key;
    const arn = asked.startsWith('arn:') ? asked : `${this.#place}:${isAlias ? local : `key/${local}`}`;
    throw new Refusal('NotFoundException', isAlias ? `Alias ${arn} is not found.` : `Key '${arn}' does not exist`);
  }

  /** The key that has made a ciphertext, if it is one of these. */
  keyOf(ciphertext: Buffer): KmsKey | undefined {
    return this.#keys.get(ciphertext.subarray(0, idLength).toString('latin1'));
  }
}

export function encryptBy(key: KmsKey, plaintext: Buffer, context: EncryptionContext): Buffer {
  const nonce = randomBytes(nonceLength);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce);
  cipher.setAAD(boundTo(context));
  const encrypted = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.from(key.id, 'latin1'), nonce, cipher.getAuthTag(), encrypted]);
}

/** Throws InvalidCiphertextException, which has no words. */
export function decryptBy(key: KmsKey, ciphertext: Buffer, context: EncryptionContext): Buffer {
  try {
    const [nonce, tag] = [idLength + nonceLength, idLength + nonceLength + tagLength];
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, ciphertext.subarray(idLength, nonce));
    decipher.setAAD(boundTo(context));
    decipher.setAuthTag(ciphertext.subarray(nonce, tag));
    return Buffer.concat([decipher.update(ciphertext.subarray(tag)), decipher.final()]);
  } catch {
    throw new Refusal('InvalidCiphertextException', '');
  }
}

const boundTo = (context: EncryptionContext): Buffer =>
  Buffer.from(JSON.stringify(Object.entries(context).sort(([one], [other]) => (one < other ? -1 : 1))));
