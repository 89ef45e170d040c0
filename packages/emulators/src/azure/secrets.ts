import { randomBytes } from 'node:crypto';
import { NameIndex } from './name-index.ts';

/** What belongs to one version, beside its value. Times are whole seconds since the epoch. */
export interface VersionSettings {
  contentType?: string;
  tags?: Record<string, string>;
  enabled?: boolean;
  notBefore?: number;
  expires?: number;
}

export interface SecretVersion extends VersionSettings {
  id: string;
  value: string;
  tags: Record<string, string>;
  enabled: boolean;
  created: number;
  updated: number;
}

export interface Secret {
  /** As it was first written: names differ by more than case. */
  name: string;
  /** In the order in which they were written; the last is the current one. */
  versions: SecretVersion[];
  /** It is a certificate's, with its key. */
  managed: boolean;
  /** Milliseconds since the epoch of what happened last, where it takes its time. */
  deletedAt: number | null;
  recoveredAt: number | null;
}

/** Deleting and recovering take a while, in which the name can neither be read nor written. */
export type Phase = 'live' | 'deleting' | 'deleted' | 'recovering';

/** After so many days a deleted secret is gone for good. */
export const retentionDays = 90;
export const retentionMs = retentionDays * 24 * 3_600_000;

/** The secrets of one vault, without HTTP. */
export class SecretStore {
  readonly #now: () => number;
  readonly #secrets = new Map<string, Secret>();
  readonly #index = new NameIndex();
  /** How long deleting and recovering take, in milliseconds. */
  settleMs: number;

  constructor(now: () => number, settleMs: number) {
    this.#now = now;
    this.settleMs = settleMs;
  }

  /** In any case of its letters. One whose time is over is gone. */
  find(name: string): Secret | undefined {
    const secret = this.#secrets.get(name.toLowerCase());
    if (secret === undefined || secret.deletedAt === null || this.#now() < secret.deletedAt + retentionMs)
      return secret;
    this.purge(secret);
    return undefined;
  }

  phaseOf({ deletedAt, recoveredAt }: Secret): Phase {
    if (deletedAt !== null) return this.#now() < deletedAt + this.settleMs ? 'deleting' : 'deleted';
    return recoveredAt !== null && this.#now() < recoveredAt + this.settleMs ? 'recovering' : 'live';
  }

  /** Writes a new version, of a new secret where there is none. */
  put(name: string, value: string, settings: VersionSettings = {}): SecretVersion {
    const secret = this.find(name) ?? this.#create(name);
    const seconds = this.#seconds();
    const version: SecretVersion = {
      tags: {},
      enabled: true,
      ...settings,
      id: randomBytes(16).toString('hex'),
      value,
      created: seconds,
      updated: seconds,
    };
    secret.versions.push(version);
    return version;
  }

  update(version: SecretVersion, settings: VersionSettings): void {
    Object.assign(version, settings, { updated: this.#seconds() });
  }

  delete(secret: Secret): void {
    secret.deletedAt = this.#now();
    secret.recoveredAt = null;
  }

  recover(secret: Secret): void {
    secret.deletedAt = null;
    secret.recoveredAt = this.#now();
  }

  purge(secret: Secret): void {
    this.#secrets.delete(secret.name.toLowerCase());
    this.#index.remove(secret.name.toLowerCase());
  }

  /** Secrets after this name, in the order of listings. */
  *after(name: string): Generator<Secret, void, void> {
    for (const key of this.#index.after(name.toLowerCase())) {
      const secret = this.find(key);
      if (secret !== undefined) yield secret;
    }
  }

  snapshot(): Secret[] {
    return [...this.#secrets.values()];
  }

  restore(secrets: readonly Secret[]): void {
    for (const secret of secrets) this.#add(secret);
  }

  #create(name: string): Secret {
    return this.#add({ name, versions: [], managed: false, deletedAt: null, recoveredAt: null });
  }

  #add(secret: Secret): Secret {
    this.#secrets.set(secret.name.toLowerCase(), secret);
    this.#index.add(secret.name.toLowerCase());
    return secret;
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1000);
  }
}

/** The one that a read without a version answers. */
export function currentOf(secret: Secret): SecretVersion {
  const version = secret.versions.at(-1);
  if (version === undefined) throw new Error(`${secret.name} has no version`);
  return version;
}
