import { Buffer } from 'node:buffer';

/** Most bytes of a key's value: twice what Vault takes, and more than any other vault does. */
export const maxValueBytes = 2 * 1024 * 1024;

const hidden = '[secret]';

/**
 * A secret's bytes in a wrapping that doesn't print: string conversion, JSON and inspection all show `[secret]`.
 * Only `reveal` gives the bytes, so that every use of a plaintext can be found by that name.
 */
export class SecretValue {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  static fromText(text: string): SecretValue {
    return new SecretValue(Buffer.from(text, 'utf8'));
  }

  reveal(): Buffer {
    return this.#bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return hidden;
  }
}
