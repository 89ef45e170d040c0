import { hash } from 'node:crypto';
import { earlier, timeOf } from '../common/expiry-tag.ts';
import { canonicalJson, isObject, type JsonObject } from '../common/json.ts';
import type { SecretVersion } from '../contract.ts';

/** A version of a KV 2 secret as both its metadata and a read of its data describe it. */
export interface VersionState {
  version: string;
  /** Changes with the version, with its deletion, undeletion or destruction, and with custom metadata. */
  revision: string;
  /** Soft-deleted, destroyed, or past its time. */
  deleted: boolean;
  /** For good. */
  destroyed: boolean;
  createdAt: Date | null;
  /** The end the vault itself has set, or the one in the custom metadata `expires_at`, whichever comes first. */
  expiresAt: Date | null;
  metadata: Record<string, string>;
}

/** The current version's state in the answer to a metadata read, or null if it is none. */
export function stateOfMetadata(metadata: JsonObject, now: number): VersionState | null {
  const { current_version: current, versions, custom_metadata } = metadata;
  if (!Number.isInteger(current) || !isObject(versions)) return null;
  const version = versions[String(current)];
  // Metadata can be written without any version: a name that has no value.
  if (current === 0) return describe({ version: 0, destroyed: true, custom_metadata }, now);
  return isObject(version) ? describe({ ...version, version: current, custom_metadata }, now) : null;
}

/** The state in the `metadata` beside a version's data, or null if it is none. */
export function stateOfRead(metadata: JsonObject, now: number): VersionState | null {
  return Number.isInteger(metadata.version) ? describe(metadata, now) : null;
}

/** Every version in the answer to a metadata read, the newest first, or null if it is none. */
export function versionsOfMetadata(metadata: JsonObject, now: number): SecretVersion[] | null {
  const { current_version: current, versions } = metadata;
  if (!Number.isInteger(current) || !isObject(versions)) return null;
  const numbers = Object.keys(versions).sort((a, b) => Number(b) - Number(a));
  return numbers.map((version) => {
    const fields = versions[version];
    const { destroyed, deleted, createdAt } = describe({ ...(isObject(fields) ? fields : {}), version }, now);
    const state = destroyed ? 'destroyed' : deleted ? 'deleted' : 'available';
    return { version, createdAt, state, current: version === String(current), labels: [] };
  });
}

function describe(fields: JsonObject, now: number): VersionState {
  const createdTime = textOf(fields.created_time);
  const deletionTime = textOf(fields.deletion_time);
  const destroyed = fields.destroyed === true;
  const metadata = customMetadata(fields.custom_metadata);
  const version = String(fields.version);
  const deletedAt = timeOf(deletionTime);
  const fingerprint = hash('sha256', canonicalJson([createdTime, deletionTime, destroyed, metadata]), 'base64url');
  return {
    version,
    revision: `${version}.${fingerprint.slice(0, 16)}`,
    destroyed,
    deleted: destroyed || (deletedAt !== null && deletedAt.getTime() <= now),
    createdAt: timeOf(createdTime),
    expiresAt: earlier(deletedAt, timeOf(metadata.expires_at)),
    metadata,
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function customMetadata(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
