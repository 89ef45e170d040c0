import { canonicalJson, isObject, parseJson } from './json.ts';
import type { KvV1Store } from './kv-v1-store.ts';
import type { KvV2Store } from './kv-v2-store.ts';
import { customMetadataProblem } from './kv-v2-writes.ts';
import { parseDuration } from './time.ts';

/** Members of a secret, or JSON text of them where numbers must keep their digits. */
export type SecretData = Record<string, unknown> | string;

export interface PutOptions {
  customMetadata?: Record<string, string>;
  /** Seconds, or `90d`. */
  deleteVersionAfter?: number | string;
}

export interface SecretState {
  version: number;
  /** JSON of the members; null where deleted or destroyed. */
  data: string | null;
  deleted: boolean;
  destroyed: boolean;
  customMetadata: Record<string, string> | null;
}

/** One key-value mount seen directly, past tokens and policies, for tests. Only `version: 2` knows versions. */
export class KvHandle {
  readonly #store: KvV1Store | KvV2Store;

  constructor(store: KvV1Store | KvV2Store) {
    this.#store = store;
  }

  /** Writes a secret, a new version of it in version 2. Returns the version; 0 in version 1. */
  put(path: string, data: SecretData, options: PutOptions = {}): number {
    const text = toJson(data);
    if (this.#store.version === 1) {
      this.#store.secrets.set(path, text);
      return 0;
    }
    const { customMetadata, deleteVersionAfter } = options;
    if (customMetadata !== undefined) {
      const problem = customMetadataProblem(customMetadata);
      if (problem !== null) throw new Error(problem);
      this.#store.describe(path, { customMetadata });
    }
    if (deleteVersionAfter !== undefined) {
      const seconds = parseDuration(deleteVersionAfter);
      if (seconds === null) throw new Error(`no duration: ${deleteVersionAfter}`);
      this.#store.describe(path, { deleteVersionAfter: seconds });
    }
    return this.#store.put(path, text);
  }

  /** Writes `count` secrets fast. */
  seed(count: number, make: (index: number) => { path: string; data: SecretData }): void {
    for (let index = 0; index < count; index++) {
      const { path, data } = make(index);
      this.put(path, data);
    }
  }

  /** Soft-deletes the latest version; in version 1 removes the secret. */
  delete(path: string): void {
    if (this.#store.version === 1) this.#store.secrets.delete(path);
    else this.#store.delete(path, [this.#latest(path)]);
  }

  undelete(path: string, versions: readonly number[] = [this.#latest(path)]): void {
    this.#versioned().undelete(path, versions);
  }

  destroy(path: string, versions: readonly number[] = [this.#latest(path)]): void {
    this.#versioned().destroy(path, versions);
  }

  /** Removes a secret with all its versions, for good. */
  deleteMetadata(path: string): void {
    this.#versioned().secrets.delete(path);
  }

  get(path: string): SecretState | undefined {
    if (this.#store.version === 1) {
      const data = this.#store.secrets.get(path);
      if (data === undefined) return undefined;
      return { version: 0, data, deleted: false, destroyed: false, customMetadata: null };
    }
    const secret = this.#store.secrets.get(path);
    if (secret === undefined) return undefined;
    const version = secret.versions.get(secret.currentVersion);
    const deleted = version !== undefined && this.#store.isDeleted(version);
    return {
      version: secret.currentVersion,
      data: deleted ? null : (version?.data ?? null),
      deleted,
      destroyed: version?.destroyed ?? false,
      customMetadata: secret.customMetadata,
    };
  }

  /** Every path, deleted ones too, in the order in which they were first written. */
  paths(): string[] {
    return this.#store.secrets.paths();
  }

  #latest(path: string): number {
    return this.#versioned().secrets.get(path)?.currentVersion ?? 0;
  }

  #versioned(): KvV2Store {
    if (this.#store.version === 1) throw new Error('this mount keeps no versions');
    return this.#store;
  }
}

function toJson(data: SecretData): string {
  if (typeof data !== 'string') return canonicalJson(data);
  const parsed = parseJson(data);
  if (!isObject(parsed)) throw new Error('a secret is a JSON object');
  return canonicalJson(parsed);
}
