import type { SecretValue } from '@keyferry/core';
import type { Tx } from '@keyferry/store';
import type { VaultRegistry } from '@keyferry/vaults';
import type { AccessServices } from '../services.ts';

/** What writing keys needs. */
export interface WriteServices extends Pick<AccessServices, 'connections' | 'store' | 'keyring' | 'now' | 'log'> {
  registry: VaultRegistry;
}

/** Entity tags as a request gives them: one or more, or `*`. */
export interface Conditions {
  ifMatch: string | null;
  ifNoneMatch: string | null;
}

interface Request extends Conditions {
  tenantId: string;
  path: string;
  by: string;
  /** Says that requests with it are one and the same. */
  idempotencyKey: string | null;
  /** Who asks may not know what is there, nor whether anything is: no answer tells it beyond what is done. */
  blind?: boolean;
}

export interface PutRequest extends Request {
  value: SecretValue;
  /** What the secret is stored for, as `backend:<id>`; it goes with it. */
  ownedFor?: string;
}

export type DeleteRequest = Request;

export interface WrittenSecret {
  path: string;
  version: number;
  remoteVersion: string | null;
  /** There was no such key before. */
  created: boolean;
  writtenTo: 'store' | 'vault';
  owned: boolean;
  etag: string;
}

export interface DeletedSecret {
  path: string;
  removedFrom: 'store' | 'vault';
}

/** One try of a request. */
export interface Attempt<Result extends object> {
  /** Of the write to a vault; a repeated request has that of the first. */
  writeId: string;
  /** Whether there was one before, of which it isn't known how far it came. */
  repeated: boolean;
  /** Notes what is answered, in the transaction that does what was asked. */
  answer(tx: Tx, result: Result): Promise<Result>;
}
