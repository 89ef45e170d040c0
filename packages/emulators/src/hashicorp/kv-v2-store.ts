import type { Clock } from './clock.ts';
import { canonicalJson } from './json.ts';
import { PathTree } from './path-tree.ts';
import { formatDuration, formatTime } from './time.ts';

export interface KvV2Config {
  /** 0: the server's default of 10. */
  maxVersions: number;
  casRequired: boolean;
  /** Seconds; 0 unset, negative: disabled for every secret of the mount. */
  deleteVersionAfter: number;
}

export interface Version {
  /** JSON of the members; null once destroyed. */
  data: string | null;
  createdTime: string;
  /** Milliseconds since the epoch; may lie in the future. */
  deletedAt: number | null;
  destroyed: boolean;
}

export interface Secret {
  currentVersion: number;
  oldestVersion: number;
  createdTime: string;
  updatedTime: string;
  maxVersions: number;
  casRequired: boolean;
  deleteVersionAfter: number;
  customMetadata: Record<string, string> | null;
  metadataVersion: number;
  versions: Map<number, Version>;
}

export type MetadataChange = Partial<
  Pick<Secret, 'maxVersions' | 'casRequired' | 'deleteVersionAfter' | 'customMetadata'>
>;

const defaultMaxVersions = 10;

/** The versioned key-value engine of one mount, without HTTP. */
export class KvV2Store {
  readonly version = 2;
  readonly secrets = new PathTree<Secret>();
  readonly clock: Clock;
  config: KvV2Config;

  constructor(clock: Clock, config: Partial<KvV2Config> = {}) {
    this.clock = clock;
    this.config = { maxVersions: 0, casRequired: false, deleteVersionAfter: 0, ...config };
  }

  /** Writes a new version; `data` is JSON of an object. Returns its number. */
  put(path: string, data: string): number {
    const known = this.secrets.get(path);
    const secret = known ?? this.#create(path);
    const createdTime = known === undefined ? secret.createdTime : this.clock.stamp();
    secret.currentVersion += 1;
    secret.updatedTime = createdTime;
    secret.versions.set(secret.currentVersion, {
      data,
      createdTime,
      deletedAt: this.#expiry(secret),
      destroyed: false,
    });
    const kept = Math.max(secret.maxVersions, this.config.maxVersions) || defaultMaxVersions;
    if (secret.currentVersion - secret.oldestVersion >= kept) {
      const last = secret.currentVersion - kept;
      for (let number = secret.oldestVersion; number <= last; number++) secret.versions.delete(number);
      secret.oldestVersion = last + 1;
    }
    return secret.currentVersion;
  }

  /** Marks versions as deleted; those that are so already keep their time. */
  delete(path: string, versions: readonly number[]): void {
    this.#each(path, versions, (version) => {
      if (!this.isDeleted(version)) version.deletedAt = this.clock.now();
    });
  }

  undelete(path: string, versions: readonly number[]): void {
    const secret = this.secrets.get(path);
    this.#each(path, versions, (version) => {
      version.deletedAt = secret === undefined ? null : this.#expiry(secret);
    });
  }

  destroy(path: string, versions: readonly number[]): void {
    this.#each(path, versions, (version) => {
      version.destroyed = true;
      version.data = null;
    });
  }

  /** Changes settings, making an entry without versions where there is none, as the real server does. */
  describe(path: string, change: MetadataChange): void {
    const secret = this.secrets.get(path) ?? this.#create(path);
    Object.assign(secret, change);
    secret.metadataVersion += 1;
  }

  isDeleted(version: Version): boolean {
    return version.deletedAt !== null && version.deletedAt <= this.clock.now();
  }

  /** JSON of one version's metadata, as a read of data and a write show it. */
  versionJson(secret: Secret, number: number, version: Version): string {
    const deletionTime = version.deletedAt === null ? '' : formatTime(version.deletedAt);
    return `{"created_time":"${version.createdTime}","custom_metadata":${canonicalJson(secret.customMetadata)},"deletion_time":"${deletionTime}","destroyed":${version.destroyed},"version":${number}}`;
  }

  /** JSON of a secret's metadata with all versions. OpenBao adds check-and-set of the metadata itself. */
  metadataJson(secret: Secret, openbao: boolean): string {
    // Names of members sort as text: 10 comes before 2.
    const numbers = [...secret.versions.keys()].map(String).sort();
    const versions = numbers.map((number) => {
      const version = secret.versions.get(Number(number));
      const deletionTime = version?.deletedAt == null ? '' : formatTime(version.deletedAt);
      return `"${number}":{"created_time":"${version?.createdTime}","deletion_time":"${deletionTime}","destroyed":${version?.destroyed}}`;
    });
    const metadataVersion = openbao ? `,"current_metadata_version":${secret.metadataVersion}` : '';
    const metadataCas = openbao ? ',"metadata_cas_required":false' : '';
    return `{"cas_required":${secret.casRequired},"created_time":"${secret.createdTime}"${metadataVersion},"current_version":${secret.currentVersion},"custom_metadata":${canonicalJson(secret.customMetadata)},"delete_version_after":"${formatDuration(secret.deleteVersionAfter)}","max_versions":${secret.maxVersions}${metadataCas},"oldest_version":${secret.oldestVersion},"updated_time":"${secret.updatedTime}","versions":{${versions.join(',')}}}`;
  }

  #create(path: string): Secret {
    const now = this.clock.stamp();
    const secret: Secret = {
      currentVersion: 0,
      oldestVersion: 0,
      createdTime: now,
      updatedTime: now,
      maxVersions: 0,
      casRequired: false,
      deleteVersionAfter: 0,
      customMetadata: null,
      metadataVersion: 0,
      versions: new Map(),
    };
    this.secrets.set(path, secret);
    return secret;
  }

  /** The sooner of the secret's and the mount's delete_version_after, from now. */
  #expiry(secret: Secret): number | null {
    const mount = this.config.deleteVersionAfter;
    if (mount < 0) return null;
    const own = secret.deleteVersionAfter;
    const seconds = own > 0 && mount > 0 ? Math.min(own, mount) : own || mount;
    return seconds > 0 ? this.clock.now() + seconds * 1000 : null;
  }

  #each(path: string, versions: readonly number[], change: (version: Version) => void): void {
    const secret = this.secrets.get(path);
    for (const number of versions) {
      const version = secret?.versions.get(number);
      if (version !== undefined && !version.destroyed) change(version);
    }
  }
}
