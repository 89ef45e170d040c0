import type { LookupFunction } from 'node:net';
import type { SecretValue } from '@keyferry/core';
import type { buildConnector } from 'undici';
import type { z } from 'zod';

/** What only a listing shows of a secret, where reading its value doesn't show it again. Never a value. */
export interface ListedFacts {
  /** Custom metadata, tags or labels. */
  metadata: Record<string, string>;
  /** ISO 8601, in UTC. */
  expiresAt: string | null;
  /** The current version, where the listing shows it. */
  version: string | null;
  /** When the vault made the secret or last changed it, for vaults whose reads don't say when a version became current. */
  since: string | null;
}

/** A secret to read. */
export interface FetchRef {
  path: string;
  /** What the listing showed beside it. Null where there was none: a vault that needs them asks for them then. */
  facts: ListedFacts | null;
}

/** One secret as a listing shows it. */
export interface SecretRef extends FetchRef {
  /**
   * The remote path, relative to the container: the vault's own name, or, for vaults whose names have no slashes, that
   * name with the separator of the settings replaced by one.
   */
  path: string;
  /** The vault's name of the current version, or null where the listing doesn't show it. */
  version: string | null;
  /**
   * Changes whenever the value, or metadata that Keyferry carries, may have changed. Null where that can't be told
   * without reading the secret.
   */
  revision: string | null;
  /** Listed, though its value is deleted, destroyed or scheduled for deletion. */
  deleted: boolean;
}

export interface ListScope {
  /** Folders to walk, each `''` or ending in a slash, none below another. */
  folders: readonly string[];
  /** Whether a folder below those is wanted; one that isn't need not be listed. Left out, all are. */
  enters?(folder: string): boolean;
  /** Whether a listed path is wanted. Unwanted ones are left out of the pages. */
  includes(path: string): boolean;
  /** Whether the revision of this path is worth a call of its own, where the listing doesn't show it. */
  wantsRevision(path: string): boolean;
}

/** A secret's current value. */
export interface SecretReading {
  /** Bytes as stored. For a vault of fields: a JSON object, its members sorted by name, numbers as the vault wrote them. */
  value: SecretValue;
  contentType: string;
  version: string | null;
  revision: string | null;
  /**
   * When this version became the current one, as near as the vault tells: of two readings of a secret, the later one has
   * the later time.
   */
  createdAt: Date | null;
  expiresAt: Date | null;
  /** Custom metadata, tags or labels. */
  metadata: Record<string, string>;
}

/** What came of reading one ref: each has its own outcome, and a failure names its class. */
export type FetchOutcome = { path: string; reading: SecretReading } | { path: string; error: Error };

export interface Probe {
  /** Whether the container (mount, project, vault) was seen to exist. Without it, absence proves nothing. */
  container: 'present' | 'unproven';
  /**
   * What the vault itself calls the container, such as an account's number or a mount's accessor: another one under the
   * same settings is another container. Null where it isn't told.
   */
  containerId: string | null;
  /** Product and version where the vault tells them, for people. */
  server: string | null;
  latencyMs: number;
}

export type Presence = 'present' | 'absent' | 'deleted';

/** One of the versions of a secret that a vault keeps. */
export interface SecretVersion {
  version: string;
  createdAt: Date | null;
  /** Only an available one can be read. */
  state: 'available' | 'disabled' | 'deleted' | 'destroyed';
  /** Whether this is what a read without a version answers. */
  current: boolean;
  /** The vault's own labels of it, such as AWSPREVIOUS. */
  labels: string[];
}

export interface PutOptions {
  /**
   * The version that must be the current one, or null if the secret must not exist; otherwise `vault_conflict`, and
   * nothing is written. Left out: whatever is there is replaced.
   */
  expectedVersion?: string | null;
  /** A UUID of this one write: sent again with the same, it is not made twice where the vault can tell. */
  idempotencyKey: string;
  /** Custom metadata, tags or labels of a secret that is created; one that exists keeps its own. */
  metadata?: Record<string, string>;
}

export interface Written {
  version: string | null;
  /** As a listing will show it, or null if that can't be told from here. */
  revision: string | null;
}

/**
 * A live connection to one vault. Every method rejects with a `KeyferryError` that carries a failure class, or with
 * the signal's reason once it is aborted.
 */
export interface VaultBackend {
  /** Reachable, authenticated, container there? Rejects with `container_missing` if it is proven not to be. */
  probe(signal: AbortSignal): Promise<Probe>;
  /**
   * Pages of what the scope includes, in any order, each path once. Ending normally means that the listing is complete;
   * whatever could not be listed makes it reject, so that it is never taken for empty.
   */
  list(scope: ListScope, signal: AbortSignal): AsyncIterable<SecretRef[]>;
  /** One outcome for each ref, in any order, as they arrive. Rejects only when aborted. */
  fetch(refs: readonly FetchRef[], signal: AbortSignal): AsyncIterable<FetchOutcome>;
  /** A direct read that tells absence from everything else. Anything but a proof rejects. */
  confirm(path: string, signal: AbortSignal): Promise<Presence>;
  /**
   * Writes a value, creating the secret or giving it a new version; one that was removed recoverably is recovered. What
   * can't be written there as it is (its name, size or form) rejects before anything is sent.
   */
  put(path: string, value: SecretValue, options: PutOptions, signal: AbortSignal): Promise<Written>;
  /** Removes a secret, recoverably where the vault can. One that is gone already is no error. */
  remove(path: string, signal: AbortSignal): Promise<void>;
  /** Brings back what was removed recoverably. Rejects with `vault_not_found` if there is nothing to bring back. */
  restore(path: string, signal: AbortSignal): Promise<void>;
  /** The versions that the vault keeps, the newest first. */
  versions(path: string, signal: AbortSignal): Promise<SecretVersion[]>;
  /** One of them. */
  readVersion(path: string, version: string, signal: AbortSignal): Promise<SecretReading>;
  /** Revokes what was logged in for, and closes sockets. */
  close(): Promise<void>;
}

/** Kinds of calls to a vault. Logins, probes and detection are counted apart from the work itself. */
export const callOperations = [
  'login',
  'probe',
  'detect',
  'list',
  'metadata',
  'read',
  'confirm',
  'history',
  'write',
] as const;
export type CallOperation = (typeof callOperations)[number];

/**
 * Where sockets may go on a tenant's word, which the addresses in settings are: the operator's policy, asked in the moment of
 * connecting. What the machine's own identity is had from is the operator's word, and goes by none of it.
 */
export interface VaultEgress {
  /** What undici connects by, with such sockets. Connecting to what is not allowed rejects with `egress_refused`. */
  connector(socket: buildConnector.BuildOptions): buildConnector.connector;
  /** Throws `egress_refused` for what can be told before a name is looked up. `plain`: without TLS. */
  assert(destination: { host: string; plain: boolean }): void;
  /** What `net.connect` looks names up by: gives allowed addresses alone, or fails with `egress_refused`. */
  lookup(plain: boolean): LookupFunction;
}

/**
 * What a connection gives to a vault's code. Every remote call goes through `call`, which bounds how many run at a
 * time, sets the deadline, tries again by failure class, and counts. The folders of the vaults do none of this.
 */
export interface ConnectContext {
  call<T>(operation: CallOperation, signal: AbortSignal, attempt: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** How many calls may run at a time. */
  parallelism: number;
  /** How many more calls would run at once, and not wait for others to end. */
  room(): number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs something later, like `setTimeout`; returns how to cancel it. Given so that tests own the clock. */
  later(delayMs: number, run: () => void): () => void;
  /**
   * The text of a file of the operator's. The only way to files, since settings are a tenant's. Rejects with
   * `reference_refused` if the operator has not allowed the file, `reference_unresolved` if it can't be read; both are
   * of the class `unauthenticated`.
   */
  readAllowedFile(path: string): Promise<string>;
  /** What every socket to an address of the settings goes through. */
  egress: VaultEgress;
}

/** A published limit: so many calls in so many seconds, over all these operations together. */
export interface Quota {
  operations: readonly CallOperation[];
  calls: number;
  seconds: number;
}

/** What a kind of vault can do. Callers ask this, never for the kind. */
export interface Capabilities {
  /** Where it shows that a secret has changed: in a listing, by a cheap call for each secret, or by reading alone. */
  revisions: 'listed' | 'probed' | 'read';
  /** What a value is: any bytes, UTF-8 text, or a JSON object of fields. */
  values: 'bytes' | 'text' | 'fields';
  /** Earlier versions are kept and can be read. */
  history: boolean;
  write: boolean;
  /** Whether the vault itself compares `expectedVersion`, or we look just before we write. */
  compareAndSet: 'atomic' | 'checked';
  /** What `remove` removes can be restored. */
  restore: boolean;
  /** Names may begin with a slash, which local paths do not. */
  leadingSlash: boolean;
}

/** The identities of the machine that settings may use, where the operator allows it. */
export const ambientIdentities = ['aws', 'gcp', 'azure'] as const;
export type AmbientIdentity = (typeof ambientIdentities)[number];

export interface VaultDefinition<Config = unknown> {
  kind: string;
  /** For people. */
  label: string;
  /**
   * A strict object of settings, with everything secret under `auth` alone: that part is stored encrypted, never shown,
   * and its strings may be references, which are resolved before `connect`.
   */
  configSchema: z.ZodType<Config>;
  /** Members of `auth` that are secret, and not merely names: those that may be kept in another vault. */
  secrets: readonly string[];
  /** Members of the settings that decide where credentials are sent. */
  destination: readonly string[];
  capabilities: Capabilities;
  /** The vendor's published limits. Operations that none names are not limited. */
  quotas: readonly Quota[];
  /** The least that an identity must be allowed, as the vendor writes policies, for `keyferry backend policy`. */
  policies: { read_only: string; read_and_write: string };
  /**
   * What a pattern of remote paths means inside the container, where it may be written as the vault's own interface addresses
   * the container; the pattern itself where it isn't. Of the settings `auth` is not known here.
   */
  withinContainer?(config: Omit<Config, 'auth'>, pattern: string): string;
  /** The operator's files that these settings name, so that what isn't allowed is refused when they are given. */
  files?(config: Config): readonly string[];
  /** The machine's own identities that these settings use, so that what isn't allowed is refused when they are given. */
  ambient?(config: Config): readonly AmbientIdentity[];
  /**
   * Members of `auth` that a document of credentials gives for a method: the text of what `credentials_path` names.
   * Throws `config_invalid`, never with a part of the text.
   */
  credentials(method: string, text: string): Record<string, unknown>;
  /**
   * Turns one-time credentials into lasting ones, before the settings are stored: what can be used once would serve
   * one process, until it ends. Resolves to the members of `auth` to store in place of the given ones, where null
   * removes one. Without one-time credentials that is none of them, and costs no call.
   */
  exchange?(config: Config, context: ConnectContext, signal: AbortSignal): Promise<Record<string, unknown>>;
  /** Imports the SDK, and makes no call yet. Refuses one-time credentials that were not exchanged. */
  connect(config: Config, context: ConnectContext): Promise<VaultBackend>;
}

export function defineVaultBackend<Config>(definition: VaultDefinition<Config>): VaultDefinition<Config> {
  return definition;
}
