import type { Fault, FaultEffect, Faults, RequestLog } from '@keyferry/emulators';
import type { Capabilities, VaultDefinition } from '../src/index.ts';

/** Settings of a backend, as `configSchema` takes them. */
export type Settings = Record<string, unknown>;

/** Kinds of requests that cases disturb or count, whatever a vault calls them. */
export type RequestKind = 'list' | 'read' | 'write' | 'login';

/**
 * What a suite needs to know of a kind of vault, and how it gets one. `targets/<kind>.ts` exports those of a kind as
 * `<kind>Targets`, an array whose first stands for a real vault too.
 */
export interface ConformanceTarget {
  /** Shown in the names of the tests, such as `aws`, or `hashicorp, KV 1`. */
  name: string;
  definition: VaultDefinition;
  /** What this vault can do, where it is less than its kind. */
  capabilities: Capabilities;
  /** A page of its listing holds so many secrets; null where everything comes at once. */
  pageSize: number | null;
  names: {
    /** At the edge of the grammar, longest one included; all are carried. As paths. */
    allowed: string[];
    /** Paths that can't be written in this vault. */
    refused: string[];
  };
  /** What the refusals of settings are tried with. Fields are named as in messages, such as `auth.token`. */
  fields: {
    /** Holds the URL. A real vault's goes there too. */
    address: string;
    /** Without one of these, the settings that `open` gives are refused. */
    required: string[];
    /** A member of another method's `auth`: beside those of `open` it would make two methods. */
    otherMethod: Record<string, string>;
  };
  /** The vault's own labels of versions, where it has some: of the current version and of the one before. */
  labels?: { current: string[]; previous: string[] };
  /** Most bytes a value may have, encoded as `value` does. */
  largestValue: number;
  /** A value of this vault's form that holds the text, and nothing else. */
  value(text: string): Buffer;
  /** A case may take so many milliseconds, where it needs more than others. */
  caseTimeoutMs?: number;
  /** Why cases of this name can't be had here, by the name of the case. */
  skips: Record<string, string>;
  /** An empty vault, with a container that is there. */
  open(options?: OpenOptions): Promise<ConformanceVault>;
}

export interface OpenOptions {
  /** Milliseconds since the epoch; what the vault stamps, and judges leases and signatures by. */
  now?: () => number;
  /** Served with this certificate, of an authority that the settings of `open` do not trust. */
  tls?: { cert: string; key: string };
}

/** What every vault gives: a real one can be driven through its backend alone, so all else is `emulated`. */
export interface ConformanceVault extends AsyncDisposable {
  /** Settings that may read and write everything. */
  settings: Settings;
  /** Below which all paths are, ending in a slash, or empty. A real vault is shared with others. */
  prefix: string;
  emulated?: Emulated;
}

export interface PutOptions {
  metadata?: Record<string, string>;
  expiresAt?: Date;
}

/** What an emulator can be told behind the backend's back. */
export interface Emulated {
  url: string;
  faults: Faults;
  requests: RequestLog;
  /** Which requests are meant, for a fault. With a path: those for this secret alone, where a request has one. */
  match(kind: RequestKind, path?: string): Pick<Fault, 'operation' | 'path' | 'method' | 'when'>;
  /** How this vault says that it limits requests. */
  throttled(retryAfter?: string): FaultEffect;
  /** How it says that a policy forbids a request. */
  forbidden: FaultEffect;
  /** Writes a secret or a new version of it, and tells the version. */
  put(path: string, value: Buffer, options?: PutOptions): string | null;
  /** Writes so many secrets at once, and tells their paths. */
  seed(count: number): string[];
  /** Removes it as its owner would by default: recoverably where the vault can. */
  remove(path: string): void;
  /** Removes it for good. */
  destroy(path: string): void;
  /** Where the vault has such a thing: the current version can't be read until it is enabled. */
  disable?(path: string): void;
  /** Where there is such a thing: the current version's value is gone for good, while the name stays. */
  destroyVersion?(path: string): void;
  /** Where there is such a thing: the listing goes on showing an older state than reads do. */
  freezeListing?(): void;
  /** Settings like those above, whose identity may do all but this. */
  forbidding(what: { list?: boolean; read?: string }): Settings;
  /** Settings whose credentials the vault doesn't accept. */
  rejected: { expired?: Settings; unknown: Settings };
  /** Settings of a method that logs in by a request, which `match('login')` means. */
  loggingIn?: Settings;
  /** Makes the vault stop accepting what was logged in for so far. */
  revokeSessions?(): void;
  /** Makes the vault stop accepting the credentials of `settings`, and gives settings with those in their place. */
  rotate?(): Settings;
  /** Settings that name a container that isn't there, where there is such a thing as a container. */
  missingContainer?: Settings;
  /** Settings of another container, as by a slip of the pen; empty, and there. */
  otherContainer(): Settings;
  /** Takes away the container of `settings` with all it holds, where there is such a thing as a container. */
  removeContainer?(): void;
  /** How many sockets clients hold open to it. */
  openSockets(): Promise<number>;
}
