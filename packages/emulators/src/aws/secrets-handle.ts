import { randomUUID } from 'node:crypto';
import { label, type Secret, type SecretContent, stagesByVersion, versionAt } from './secret.ts';
import type { SecretStore } from './secret-store.ts';
import { addVersion } from './versions.ts';

const day = 86_400_000;

export interface SecretOptions {
  /** In place of those it has. */
  tags?: Record<string, string>;
  /** The id of the new version, which is a request's token; a new one by default. */
  versionId?: string;
  /** Labels of the new version; AWSCURRENT by default. */
  stages?: readonly string[];
}

export interface SecretDetails {
  arn: string;
  /** The current one. */
  versionId: string | null;
  /** Of the current one. */
  value: string | Buffer | null;
  stages: Record<string, string[]>;
  tags: Record<string, string>;
  kmsKeyId: string | null;
  /** When it will be gone, if it is scheduled for deletion. */
  deletesAt: number | null;
}

/** The secrets of an account in a region, changed behind the back of all clients: nothing is forbidden or limited. */
export class SecretsHandle {
  readonly #store: SecretStore;
  readonly #now: () => number;

  constructor(store: SecretStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Writes a secret, or a new version of it; text is kept as text. Returns the version's id. */
  put(
    name: string,
    value: string | Buffer,
    { tags, versionId = randomUUID(), stages = ['AWSCURRENT'] }: SecretOptions = {},
  ): string {
    const secret = this.#store.find(name) ?? this.#store.create(name);
    secret.deletesAt = null;
    if (tags !== undefined) this.tag(name, tags);
    const content: SecretContent = typeof value === 'string' ? { text: value } : { binary: value.toString('base64') };
    this.#dropOldest(secret);
    addVersion(secret, versionId, content, stages, this.#now());
    return versionId;
  }

  /** Gives AWSCURRENT to a version that there is, as UpdateSecretVersionStage does. */
  makeCurrent(name: string, versionId: string): void {
    const secret = this.#secret(name);
    const version = secret.versions.get(versionId);
    if (version === undefined) throw new Error(`${name} has no version ${versionId}`);
    label(secret, version, 'AWSCURRENT');
    secret.changedAt = this.#now();
  }

  /** A secret that has a name and no value. */
  createEmpty(name: string): void {
    this.#store.create(name);
  }

  /** Replaces all tags. */
  tag(name: string, tags: Record<string, string>): void {
    const secret = this.#secret(name);
    secret.tags = new Map(Object.entries(tags));
    secret.changedAt = this.#now();
  }

  /** Schedules it for deletion. */
  remove(name: string, windowInDays = 30): void {
    this.#secret(name).deletesAt = this.#now() + windowInDays * day;
  }

  /** Removes it for good. */
  destroy(name: string): void {
    this.#store.destroy(this.#secret(name));
  }

  /** Its KMS key can't be used any more, or can again. */
  setDecryptable(name: string, decryptable: boolean): void {
    this.#secret(name).undecryptable = !decryptable;
  }

  get(name: string): SecretDetails | null {
    const secret = this.#store.find(name);
    if (secret === undefined) return null;
    const current = versionAt(secret, 'AWSCURRENT');
    return {
      arn: secret.arn,
      versionId: current?.id ?? null,
      value:
        current === undefined
          ? null
          : 'text' in current.value
            ? current.value.text
            : Buffer.from(current.value.binary, 'base64'),
      stages: stagesByVersion(secret),
      tags: Object.fromEntries(secret.tags),
      kmsKeyId: secret.kmsKeyId,
      deletesAt: secret.deletesAt,
    };
  }

  names(): string[] {
    return this.#store.all().map(({ name }) => name);
  }

  /** Listings go on showing what there is now: they lag behind reads. */
  freezeListing(): void {
    this.#store.freezeListing();
  }

  thawListing(): void {
    this.#store.thawListing();
  }

  #secret(name: string): Secret {
    const found = this.#store.find(name);
    if (found === undefined) throw new Error(`no secret ${name}`);
    return found;
  }

  /** What is written here meets no limit of versions. */
  #dropOldest({ versions }: Secret): void {
    if (versions.size < 100) return;
    for (const { id, stages } of versions.values()) if (stages.size === 0) return void versions.delete(id);
  }
}
