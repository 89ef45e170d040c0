import { secretJson } from './render.ts';
import { checkSecretId } from './secret-fields.ts';
import type { Secret, SecretStore, Version } from './store.ts';

export interface SecretOptions {
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  /** When the secret vanishes. */
  expiresAt?: Date;
  versionAliases?: Record<string, number>;
  /** Seconds that a destruction is delayed by. */
  versionDestroySeconds?: number;
}

/** The secrets of a project, or of one location of it, changed directly. */
export class SecretsHandle {
  readonly #store: SecretStore;

  constructor(store: SecretStore) {
    this.#store = store;
  }

  /** Adds a version, to a secret that is made for it if there is none; options replace what a secret had of these. */
  put(id: string, value: string | Buffer, options: SecretOptions = {}): number {
    const secret = this.create(id, options);
    return this.#store.addVersion(secret, Buffer.from(value), true).number;
  }

  /** A secret without versions, unless it is there. */
  create(id: string, options: SecretOptions = {}): Secret {
    checkSecretId(id);
    const secret = this.#store.get(id) ?? this.#store.create(id);
    const { expiresAt, versionDestroySeconds, ...rest } = options;
    Object.assign(secret, rest, {
      ...(expiresAt !== undefined && { expiresAt: expiresAt.getTime() * 1_000 }),
      ...(versionDestroySeconds !== undefined && { versionDestroyTtl: versionDestroySeconds * 1e6 }),
    });
    return secret;
  }

  /** Writes `count` secrets at once, named and filled by their index. */
  seed(count: number, make: (index: number) => { id: string; value: string }): void {
    for (let index = 0; index < count; index += 1) {
      const { id, value } = make(index);
      this.put(id, value);
    }
  }

  delete(id: string): void {
    this.#store.delete(id);
  }

  /** Sets the state of a version, by default of the newest. */
  setState(id: string, state: Version['state'], number?: number): void {
    const secret = this.#store.get(id);
    const version = secret && (number === undefined ? secret.versions.at(-1) : secret.versions[number - 1]);
    if (secret === undefined || version === undefined) throw new Error(`no version of ${id}`);
    this.#store.setState(secret, version, state);
  }

  /** As `GetSecret` shows it, with the newest value; undefined if it isn't there. */
  get(id: string): { secret: object; versions: number; value: Buffer } | undefined {
    const secret = this.#store.get(id);
    if (secret === undefined) return undefined;
    const value = Buffer.from(secret.versions.at(-1)?.data ?? '', 'base64');
    return { secret: secretJson(secret, 'projects/-'), versions: secret.versions.length, value };
  }

  /** The oldest first. */
  ids(): string[] {
    return this.#store.ids().toReversed();
  }
}
