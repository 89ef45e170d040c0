import { type Answer, failure, noContent } from './answer.ts';
import { canonicalJson, isObject, type JsonObject, parseJson, toInteger } from './json.ts';
import type { KvV2Store, MetadataChange } from './kv-v2-store.ts';
import { parseDuration } from './time.ts';

const invalid = 'custom_metadata validation failed';

/** Writes settings of a secret; a patch merges custom metadata and drops its nulls. */
export function describeSecret(store: KvV2Store, key: string, body: JsonObject, patch: boolean): Answer {
  const change: MetadataChange = {};
  const { max_versions: maxVersions, cas_required: casRequired, delete_version_after: deleteAfter } = body;
  if (maxVersions !== undefined) {
    const number = toInteger(maxVersions);
    if (number === null || number < 0) return failure(400, 'error converting input for field "max_versions"');
    change.maxVersions = number;
  }
  if (casRequired !== undefined) change.casRequired = casRequired === true || casRequired === 'true';
  if (deleteAfter !== undefined) {
    const seconds = parseDuration(deleteAfter);
    if (seconds === null || seconds < 0) return failure(400, 'error converting input for field "delete_version_after"');
    change.deleteVersionAfter = seconds;
  }
  if (isObject(body.custom_metadata)) {
    const before = patch ? (store.secrets.get(key)?.customMetadata ?? {}) : {};
    const merged: JsonObject = { ...before, ...body.custom_metadata };
    const kept = Object.entries(merged).filter(([, value]) => !(patch && value === null));
    const custom = Object.fromEntries(kept.map(([name, value]) => [name, asText(value)]));
    const problem = customMetadataProblem(custom);
    if (problem !== null) return failure(400, problem);
    change.customMetadata = custom;
  }
  if (Object.keys(change).length > 0) store.describe(key, change);
  return noContent;
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === null ? '' : canonicalJson(value);
}

/** What is wrong with custom metadata, in the real server's words, or null. Lengths are in bytes. */
export function customMetadataProblem(custom: Record<string, string>): string | null {
  const names = Object.keys(custom);
  if (names.length > 64) {
    return `1 error occurred:\n\t* ${invalid}: payload must contain at most 64 keys, provided ${names.length}\n\n`;
  }
  const problems: string[] = [];
  for (const [name, value] of Object.entries(custom)) {
    const nameLength = Buffer.byteLength(name);
    const valueLength = Buffer.byteLength(value);
    if (nameLength === 0 || nameLength > 128)
      problems.push(`length of key "${name}" is ${nameLength} but must be 0 < len(key) <= 128`);
    if (valueLength === 0 || valueLength > 512)
      problems.push(`length of value for key "${name}" is ${valueLength} but must be 0 < len(value) <= 512`);
    if (/\p{C}/u.test(name)) problems.push(`key "${name}" (${name}) contains unprintable characters`);
    if (/\p{C}/u.test(value)) problems.push(`value for key "${name}" contains unprintable characters`);
  }
  if (problems.length === 0) return null;
  const count = problems.length === 1 ? '1 error' : `${problems.length} errors`;
  return `${count} occurred:\n${problems.map((problem) => `\t* ${invalid}: ${problem}\n`).join('')}\n`;
}

export function writeConfig(store: KvV2Store, body: JsonObject): Answer {
  const maxVersions = body.max_versions === undefined ? undefined : toInteger(body.max_versions);
  if (maxVersions === null) return failure(400, 'error converting input for field "max_versions"');
  const after = body.delete_version_after === undefined ? undefined : parseDuration(body.delete_version_after);
  if (after === null) return failure(400, 'error converting input for field "delete_version_after"');
  if (maxVersions !== undefined) store.config.maxVersions = maxVersions;
  if (after !== undefined) store.config.deleteVersionAfter = Math.max(after, -1);
  if (body.cas_required !== undefined) store.config.casRequired = body.cas_required === true;
  return noContent;
}

/** The current data with a JSON merge patch applied, or null where there is nothing to patch. */
export function patchSecret(store: KvV2Store, key: string, patch: JsonObject): string | null {
  const secret = store.secrets.get(key);
  const version = secret?.versions.get(secret.currentVersion);
  if (version === undefined || version.data === null || store.isDeleted(version)) return null;
  return canonicalJson(merge(parseJson(version.data), patch));
}

function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: JsonObject = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = merge(merged[name], value);
  }
  return merged;
}
