import { isUtf8 } from 'node:buffer';
import { SecretValue, vaultFailure } from '@keyferry/core';
import { contentTypeOf } from '../common/content-type.ts';
import type { ListedFacts, SecretReading } from '../contract.ts';
import { malformed } from './errors.ts';
import { revisionOf } from './state.ts';

/** What AWS answers of a version, whichever way it was read. */
export interface ValueEntry {
  Name?: string | undefined;
  VersionId?: string | undefined;
  SecretString?: string | undefined;
  SecretBinary?: Uint8Array | undefined;
  CreatedDate?: Date | undefined;
}

/** A value as it was read, which lacks what only a listing or a description tells. */
export interface StoredValue {
  value: SecretValue;
  contentType: string;
  version: string;
  createdAt: Date | null;
  /** Whether it is kept as text, and not as bytes. */
  isText: boolean;
}

const mostBytes = 65_536;

/** The value in an answer. Throws unless it has one that can be carried as it is. */
export function storedValue(entry: ValueEntry, what: string): StoredValue {
  const { VersionId: version, SecretString: text, SecretBinary: binary, CreatedDate: createdAt } = entry;
  if (typeof version !== 'string' || version === '') throw malformed(what);
  const bytes = bytesOf(text, binary, what);
  return {
    value: new SecretValue(bytes),
    contentType: text === undefined ? 'application/octet-stream' : contentTypeOf(bytes),
    version,
    createdAt: createdAt instanceof Date && !Number.isNaN(createdAt.getTime()) ? createdAt : null,
    isText: text !== undefined,
  };
}

function bytesOf(text: unknown, binary: unknown, what: string): Buffer {
  if (binary instanceof Uint8Array && text === undefined)
    return Buffer.from(binary.buffer, binary.byteOffset, binary.byteLength);
  if (typeof text !== 'string' || binary !== undefined) throw malformed(what);
  // Half a character has no bytes: it would be carried as another one.
  if (!text.isWellFormed()) throw vaultFailure('invalid', `Could not ${what}: its text is not valid Unicode.`);
  return Buffer.from(text);
}

export function readingOf(stored: StoredValue, facts: ListedFacts): SecretReading {
  const { value, contentType, version } = stored;
  // The label AWSCURRENT can be given back to an older version, which is no older state of the secret.
  const current = facts.since !== null && facts.version === version ? new Date(facts.since) : null;
  return {
    value,
    contentType,
    version,
    revision: revisionOf(version, facts),
    createdAt: current ?? stored.createdAt,
    expiresAt: facts.expiresAt === null ? null : new Date(facts.expiresAt),
    metadata: facts.metadata,
  };
}

/** Throws for what AWS would not take as a value. */
export function checkValue(value: SecretValue, what: string): void {
  if (value.size === 0) throw vaultFailure('invalid', `Could not ${what}: AWS takes no empty value.`);
  if (value.size > mostBytes)
    throw vaultFailure('too_large', `Could not ${what}: AWS takes values of 65,536 bytes at most.`);
}

/** Whether bytes can be kept as text, and come back the same. */
export function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}
