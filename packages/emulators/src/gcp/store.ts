import type { Clock } from './clock.ts';
import { crc32c } from './crc32c.ts';

export type VersionState = 'ENABLED' | 'DISABLED' | 'DESTROYED';

/** One version of a secret. Times are microseconds since the epoch. */
export interface Version {
  number: number;
  state: VersionState;
  createdAt: number;
  destroyedAt: number | null;
  /** When it will be destroyed; a secret with `versionDestroyTtl` delays that. */
  scheduledDestroyAt: number | null;
  /** Base64; empty once it is destroyed. */
  data: string;
  crc32c: number;
  /** Whether the client gave a checksum of its own. */
  checked: boolean;
  etag: number;
}

export interface Secret {
  id: string;
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Numbers of versions, by name. */
  versionAliases: Record<string, number>;
  /** As the client wrote it; null for a regional secret. */
  replication: object | null;
  expiresAt: number | null;
  /** Microseconds that a destruction is delayed by. */
  versionDestroyTtl: number | null;
  etag: number;
  /** The oldest first; none is ever taken out. */
  versions: Version[];
}

export type SecretSettings = Partial<
  Pick<Secret, 'labels' | 'annotations' | 'versionAliases' | 'replication' | 'expiresAt' | 'versionDestroyTtl'>
>;

/** The secrets of one project, or of one location of it. */
export class SecretStore {
  readonly secrets = new Map<string, Secret>();
  readonly #clock: Clock;
  /** Ids, the newest first, until something is created or deleted. */
  #order: string[] | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A secret that is there and has not expired. */
  get(id: string): Secret | undefined {
    const secret = this.secrets.get(id);
    if (secret === undefined || secret.expiresAt === null || secret.expiresAt > this.#clock.now() * 1_000)
      return secret;
    this.delete(id);
    return undefined;
  }

  /** Ids as a listing has them: the newest first. */
  ids(): readonly string[] {
    this.#order ??= [...this.secrets.keys()].reverse();
    return this.#order;
  }

  create(id: string, settings: SecretSettings = {}): Secret {
    const stamp = this.#clock.stamp();
    const secret: Secret = {
      id,
      createdAt: stamp,
      labels: {},
      annotations: {},
      versionAliases: {},
      replication: { automatic: {} },
      expiresAt: null,
      versionDestroyTtl: null,
      ...settings,
      etag: stamp,
      versions: [],
    };
    this.put(secret);
    return secret;
  }

  /** Takes a secret as it is. */
  put(secret: Secret): void {
    this.secrets.set(secret.id, secret);
    this.#order = null;
  }

  delete(id: string): void {
    this.secrets.delete(id);
    this.#order = null;
  }

  addVersion(secret: Secret, data: Buffer, checked: boolean): Version {
    const stamp = this.#clock.stamp();
    const version: Version = {
      number: secret.versions.length + 1,
      state: 'ENABLED',
      createdAt: stamp,
      destroyedAt: null,
      scheduledDestroyAt: null,
      data: data.toString('base64'),
      crc32c: crc32c(data),
      checked,
      etag: stamp,
    };
    secret.versions.push(version);
    return version;
  }

  setState(secret: Secret, version: Version, state: VersionState): void {
    const stamp = this.#clock.stamp();
    version.etag = stamp;
    if (state === 'DESTROYED' && secret.versionDestroyTtl !== null) {
      version.state = 'DISABLED';
      version.scheduledDestroyAt = stamp + secret.versionDestroyTtl;
      return;
    }
    version.scheduledDestroyAt = null;
    version.state = state;
    if (state === 'DESTROYED') {
      version.destroyedAt = stamp;
      version.data = '';
    }
  }

  /** What a number, an alias or `latest` names. Destroys what is due. */
  version(secret: Secret, name: string): Version | undefined {
    const number = Object.hasOwn(secret.versionAliases, name) ? secret.versionAliases[name] : Number(name);
    const version = name === 'latest' ? secret.versions.at(-1) : secret.versions[(number ?? 0) - 1];
    if (version !== undefined) this.settle(version);
    return version;
  }

  /** Destroys a version whose time has come. */
  settle(version: Version): void {
    if (version.scheduledDestroyAt === null || version.scheduledDestroyAt > this.#clock.now() * 1_000) return;
    Object.assign(version, {
      state: 'DESTROYED',
      destroyedAt: version.scheduledDestroyAt,
      scheduledDestroyAt: null,
      data: '',
    });
  }

  touch(secret: Secret): void {
    secret.etag = this.#clock.stamp();
  }
}
