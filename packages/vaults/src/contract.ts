import type { SecretValue } from '@keyferry/core';
import type { z } from 'zod';

/** One secret as a listing shows it. */
export interface SecretRef {
  /** The remote path, exactly as the vault names it, relative to the container. */
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
  /** When the vault made this version. */
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
  /** Product and version where the vault tells them, for people. */
  server: string | null;
  latencyMs: number;
}

export type Presence = 'present' | 'absent' | 'deleted';

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
  /** One outcome for each path, in any order, as they arrive. Rejects only when aborted. */
  fetch(paths: readonly string[], signal: AbortSignal): AsyncIterable<FetchOutcome>;
  /** A direct read that tells absence from everything else. Anything but a proof rejects. */
  confirm(path: string, signal: AbortSignal): Promise<Presence>;
  /** Revokes what was logged in for, and closes sockets. */
  close(): Promise<void>;
}

/** Kinds of calls to a vault. Logins, probes and detection are counted apart from the work itself. */
export const callOperations = ['login', 'probe', 'detect', 'list', 'metadata', 'read', 'confirm'] as const;
export type CallOperation = (typeof callOperations)[number];

/**
 * What a connection gives to a vault's code. Every remote call goes through `call`, which bounds how many run at a
 * time, sets the deadline, tries again by failure class, and counts. The folders of the vaults do none of this.
 */
export interface ConnectContext {
  call<T>(operation: CallOperation, signal: AbortSignal, attempt: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** How many calls may run at a time: how much parallelism is worth asking for. */
  parallelism: number;
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
}

export interface VaultDefinition<Config = unknown> {
  kind: string;
  /** For people. */
  label: string;
  /**
   * A strict object of settings, with everything secret under `auth` alone: that part is stored encrypted, never shown,
   * and its strings may be references, which are resolved before `connect`.
   */
  configSchema: z.ZodType<Config>;
  /** Members of the settings that decide where credentials are sent. */
  destination: readonly string[];
  capabilities: {
    /** The listing shows versions, or a cheap probe does: unchanged secrets are not read. */
    versions: boolean;
    write: boolean;
  };
  /** The operator's files that these settings name, so that what isn't allowed is refused when they are given. */
  files?(config: Config): readonly string[];
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
