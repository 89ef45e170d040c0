import { currentOf, type Secret, type SecretStore, type SecretVersion, type VersionSettings } from './secrets.ts';

export interface PutOptions extends Omit<VersionSettings, 'notBefore' | 'expires'> {
  notBefore?: Date;
  expires?: Date;
  /** The secret belongs to a certificate. */
  managed?: boolean;
}

/** The secrets seen directly, past tokens and permissions, for tests. Names are the vault's own. */
export class SecretsHandle {
  readonly #store: SecretStore;

  constructor(store: SecretStore) {
    this.#store = store;
  }

  /** Writes a secret or a new version of it, and tells the version. One that was deleted is there again. */
  put(name: string, value: string, { managed, notBefore, expires, ...settings }: PutOptions = {}): string {
    const version = this.#store.put(name, value, {
      ...settings,
      ...(notBefore !== undefined && { notBefore: Math.floor(notBefore.getTime() / 1000) }),
      ...(expires !== undefined && { expires: Math.floor(expires.getTime() / 1000) }),
    });
    const secret = this.#secret(name);
    if (managed !== undefined) secret.managed = managed;
    secret.deletedAt = null;
    return version.id;
  }

  /** Changes the current version without making a new one. */
  update(name: string, settings: VersionSettings): void {
    this.#store.update(currentOf(this.#secret(name)), settings);
  }

  disable(name: string): void {
    this.update(name, { enabled: false });
  }

  enable(name: string): void {
    this.update(name, { enabled: true });
  }

  /** Recoverably. */
  delete(name: string): void {
    this.#store.delete(this.#secret(name));
  }

  /** For good, deleted before or not. */
  purge(name: string): void {
    this.#store.purge(this.#secret(name));
  }

  /** The current version; null where there is none that can be read. */
  get(name: string): SecretVersion | null {
    const secret = this.#store.find(name);
    return secret === undefined || this.#store.phaseOf(secret) !== 'live' ? null : currentOf(secret);
  }

  /** Ids of the versions, the oldest first. */
  versions(name: string): string[] {
    return this.#secret(name).versions.map(({ id }) => id);
  }

  /** Of all that are there, in the order of listings. */
  names(): string[] {
    return [...this.#store.after('')]
      .filter((secret) => this.#store.phaseOf(secret) === 'live')
      .map(({ name }) => name);
  }

  #secret(name: string): Secret {
    const secret = this.#store.find(name);
    if (secret === undefined) throw new Error(`no secret ${name}`);
    return secret;
  }
}
